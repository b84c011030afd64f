# Recipes for people who work on Berth. `tests/all` is the whole of what CI runs; these are its parts.

_list:
    @just --list --unsorted

# Formatting, lints, licences and the fences between the crates.
lint:
    tests/all lint

# Known vulnerabilities of the dependencies; fetches the advisory database.
advisories:
    "$(tests/install --print-path cargo-deny)" --config .deny.toml check advisories

# Unit, API and architecture tests: no cluster, no network.
test:
    tests/all unit

# One outer ring, with what it needs installed: charts, clients, conformance, articles, drop_in, copies, crash, torture, replicas, s3, faults, bench, control_plane, convergence or cluster.
ring name:
    tests/all {{ name }}

# Garbage collection against writers, for hours, on `filesystem`, `s3` or both; a seed repeats the choices of an earlier run.
torture hours="1" storage="" seed="":
    TORTURE_SECONDS=$(({{ hours }} * 3600)) TORTURE_SEED={{ seed }} \
        cargo test --locked -p berth-tests --features outer-rings --test torture {{ storage }} -- --nocapture

# Three servers on one storage that are killed while clients make random changes, in the same way.
replicas hours="1" storage="" seed="":
    REPLICAS_SECONDS=$(({{ hours }} * 3600)) REPLICAS_SEED={{ seed }} \
        cargo test --locked -p berth-tests --features outer-rings --test replicas {{ storage }} -- --nocapture

# How fast this registry is beside others and nginx: builds a release and prints one table. `just bench --help` tells the rest.
[positional-arguments]
bench *arguments:
    cargo run --quiet --release --locked -p berth-tests --features bench --bin bench -- run "$@"

# How the rows of two runs of `bench --json FILE` stand to each other.
bench-compare before after:
    cargo run --quiet --release --locked -p berth-tests --features bench --bin bench -- compare {{ before }} {{ after }}

# How much memory the garbage collection of a million blobs takes, in many repositories and in one.
memory:
    cargo test --locked --release -p berth-registry --test repository -- --ignored --exact --nocapture \
        collection_memory::a_million_blobs_are_collected_in_less_than_two_hundred_megabytes

# What the operator uses and how fast it is, beside its API server: with MEASURED_OPERATOR, of another program than this commit's.
measure-operator:
    cargo test --locked -p berth-tests --features outer-rings --test convergence -- --ignored --nocapture measure::

# How fast large layers reach a bucket, beside the client library by itself; with MEASURED_REGISTRY, of another program. Needs 20 GiB in TMPDIR: MinIO lets go of what is deleted minutes later.
measure-s3:
    cargo test --locked -p berth-tests --features outer-rings --test s3 -- --ignored --nocapture --test-threads=1 measure::

# Clients while requests to S3 go wrong, for as many hours as wanted; a seed from an earlier run repeats its choices.
faults hours="1" seed="":
    FAULTS_SECONDS=$(({{ hours }} * 3600)) FAULTS_SEED={{ seed }} \
        cargo test --locked -p berth-tests --features outer-rings --test faults -- --nocapture

# Kills, failures and power cuts, for as many hours as wanted; a seed from an earlier run repeats its choices.
crash hours="1" seed="":
    CRASH_SECONDS=$(({{ hours }} * 3600)) CRASH_SEED={{ seed }} \
        cargo test --locked -p berth-tests --features outer-rings --test crash -- kill power --nocapture

# The fuzz targets of the registry, or some of them, for this long each.
fuzz seconds="60" *targets:
    tests/fuzz {{ seconds }} {{ targets }}

# Everything that CI runs.
all:
    tests/all

# Write the CRD manifests again, for the repository and for the chart, and the reference page.
generate:
    cargo run --quiet --locked -p berth-crds --bin generate
    cargo run --quiet --locked -p berth-crds --bin generate -- charts/berth/files/crds

# Write again what is rendered from the chart: charts/install.yaml and the snapshots of the tests. Needs `tests/install clients`.
render:
    cargo run --quiet --locked -p berth-tests --bin render

# Build both images into target/images.
images tag="dev":
    cargo run --quiet --locked -p berth-tests --bin images -- {{ tag }}

# The main job on a real cluster; `just demo --down` removes it again.
demo *arguments:
    tests/demo {{ arguments }}

# Random edits of a Registry, with faults of the API server and without, for as many hours as wanted.
convergence hours="1" seed="":
    CONVERGENCE_SECONDS=$(({{ hours }} * 3600)) CONVERGENCE_SEED={{ seed }} \
        cargo test --locked -p berth-tests --features outer-rings --test convergence -- --nocapture
