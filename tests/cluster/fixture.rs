//! The cluster that all tests share, with Berth installed and one registry in the namespace `default`.

use anyhow::{Result, anyhow, bail, ensure};
use berth_tests::cluster::{Cluster, HostAccess};
use berth_tests::demo::{self, Credentials, Hub, Laptop, Target, images};
use berth_tests::image::products::{self, Written};
use std::sync::OnceLock;
use tempfile::TempDir;

/// The registry elsewhere that Registries may stand in for on the node.
pub(crate) const MIRRORED: &str = "elsewhere.example";

/// What the tests start from.
pub(crate) struct Fixture {
    pub(crate) target: Target,
    pub(crate) hub: Hub,
    pub(crate) access: HostAccess,
    pub(crate) admin: Credentials,
}

/// The one fixture; the first test that asks for it waits until the cluster runs.
pub(crate) fn fixture() -> Result<&'static Fixture> {
    static FIXTURE: OnceLock<Result<Fixture, String>> = OnceLock::new();
    let fixture = FIXTURE.get_or_init(|| Fixture::create().map_err(|error| format!("{error:#}")));
    fixture.as_ref().map_err(|error| anyhow!("{error}"))
}

impl Fixture {
    fn create() -> Result<Self> {
        let target = Target::Own(Cluster::start()?);
        let folder = TempDir::new()?;
        let products = products::build(folder.path(), "test")?;
        let [operator, registry] = products.as_slice() else { bail!("expected two images") };
        let (operator, registry) = (target.deliver(operator)?, target.deliver(registry)?);
        let mirrored = format!("nodeAgent.allowedMirrors={{{MIRRORED}}}");
        demo::install_chart_with(&target, &operator, &registry, &[mirrored])?;
        let hub = create_hub(&target, "default")?;
        Ok(Self { access: hub.on_this_machine(&target)?, admin: Credentials::of(&hub)?, target, hub })
    }

    /// A person who has reached the registry as its administrator.
    pub(crate) fn laptop(&self) -> Laptop<'_> {
        Laptop { hub: &self.hub, access: &self.access, credentials: &self.admin }
    }

    /// Pushes an image that nobody else pushes, as `NAME:1`.
    pub(crate) fn push(&self, name: &str) -> Result<Image> {
        let image = Image::pack(name)?;
        self.laptop().push(&image.written, &format!("{name}:1"))?;
        Ok(image)
    }
}

/// A registry of five lines in a namespace, ready, which the node agent has led the node to.
pub(crate) fn create_hub(target: &Target, namespace: &str) -> Result<Hub> {
    let hub = Hub::new(target.kubectl(), namespace);
    hub.create()?;
    hub.wait_for_nodes(target)?;
    Ok(hub)
}

/// An image and the folder that holds its files.
pub(crate) struct Image {
    pub(crate) written: Written,
    _folder: TempDir,
}

impl Image {
    pub(crate) fn pack(words: &str) -> Result<Self> {
        let folder = TempDir::new()?;
        let written = images::hello(folder.path(), words)?;
        Ok(Self { written, _folder: folder })
    }
}

/// Fails unless the error is about what the test expects, in one of these words.
pub(crate) fn ensure_about<T>(result: Result<T>, words: &[&str]) -> Result<()> {
    let Err(error) = result else { bail!("it succeeded, although it must not") };
    let message = format!("{error:#}");
    ensure!(words.iter().any(|word| message.contains(word)), "it failed for another reason: {message}");
    Ok(())
}
