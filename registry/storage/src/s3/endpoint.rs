//! The addresses of Amazon's service, and how a bucket is named in an address.

use super::settings::Endpoint;

/// Where a bucket is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The URL of the server, or of the bucket when the bucket is in the name of the host.
    pub(super) url: String,
    /// Whether the name of the host names the bucket.
    pub(super) is_virtual_hosted: bool,
}

impl Place {
    /// Whether nobody changes a body on its way there.
    pub(super) fn is_over_tls(&self) -> bool {
        self.url.starts_with("https")
    }
}

/// Where `bucket` is.
pub(super) fn place(endpoint: &Endpoint, bucket: &str, region: &str) -> Place {
    match endpoint {
        Endpoint::Url { url, path_style: true } => Place { url: url.clone(), is_virtual_hosted: false },
        Endpoint::Url { url, path_style: false } => {
            let url = match url.split_once("://") {
                Some((scheme, host)) => format!("{scheme}://{bucket}.{host}"),
                None => format!("{bucket}.{url}"),
            };
            Place { url, is_virtual_hosted: true }
        }
        Endpoint::Amazon { dual_stack, accelerate, fips } => {
            let host = host(region, *dual_stack, *accelerate, *fips);
            // A dot in the name would not match the certificate of the service.
            if bucket.contains('.') && !accelerate {
                Place { url: format!("https://{host}"), is_virtual_hosted: false }
            } else {
                Place { url: format!("https://{bucket}.{host}"), is_virtual_hosted: true }
            }
        }
    }
}

fn host(region: &str, dual_stack: bool, accelerate: bool, fips: bool) -> String {
    let dual_stack = if dual_stack { ".dualstack" } else { "" };
    if accelerate {
        return format!("s3-accelerate{dual_stack}.amazonaws.com");
    }
    let fips = if fips { "-fips" } else { "" };
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("s3{fips}{dual_stack}.{region}.{domain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amazon(dual_stack: bool, accelerate: bool, fips: bool) -> Endpoint {
        Endpoint::Amazon { dual_stack, accelerate, fips }
    }

    #[test]
    fn amazon_names_the_bucket_in_the_host() {
        for (endpoint, region, url) in [
            (amazon(false, false, false), "eu-west-1", "https://hub.s3.eu-west-1.amazonaws.com"),
            (amazon(true, false, false), "eu-west-1", "https://hub.s3.dualstack.eu-west-1.amazonaws.com"),
            (amazon(false, true, false), "eu-west-1", "https://hub.s3-accelerate.amazonaws.com"),
            (amazon(true, true, false), "eu-west-1", "https://hub.s3-accelerate.dualstack.amazonaws.com"),
            (amazon(false, false, true), "us-east-1", "https://hub.s3-fips.us-east-1.amazonaws.com"),
            (amazon(false, false, false), "cn-north-1", "https://hub.s3.cn-north-1.amazonaws.com.cn"),
        ] {
            assert_eq!(
                place(&endpoint, "hub", region),
                Place { url: url.to_owned(), is_virtual_hosted: true }
            );
        }
    }

    #[test]
    fn a_bucket_with_a_dot_stands_in_the_path_where_the_certificate_asks_for_it() {
        let place = place(&amazon(false, false, false), "my.hub", "eu-west-1");
        assert_eq!(place.url, "https://s3.eu-west-1.amazonaws.com");
        assert!(!place.is_virtual_hosted);
    }

    #[test]
    fn another_server_is_asked_in_the_style_that_it_knows() {
        let server = |path_style| Endpoint::Url { url: "http://minio:9000".to_owned(), path_style };
        assert_eq!(place(&server(true), "hub", "x").url, "http://minio:9000");
        assert_eq!(place(&server(false), "hub", "x").url, "http://hub.minio:9000");
    }
}
