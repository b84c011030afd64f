//! What five well-known articles about `registry:2` tell their readers to type, typed at our registry.
//!
//! A: notes on a private registry, in two printings; B: a walk-through of variables, TLS and users; C: a cheat sheet of the
//! CNCF registry; D: a long tutorial. Where an article starts a container, the program starts with the image's own
//! configuration file and the container's variables; the container itself is the subject of `clients/image.rs`.
//!
//! | article | recipe | test |
//! |---|---|---|
//! | B, D | `docker run … -p 5000:5000 registry:2`, `curl http://localhost:5000/v2/` | `starting::without_any_configuration` |
//! | B | `-e REGISTRY_LOG_LEVEL=debug -e REGISTRY_HTTP_SECRET=…`, `docker logs registry` | `starting::with_a_level_and_a_secret_from_variables` |
//! | A, C | `config.yml` with `storage.delete.enabled` | `starting::with_a_configuration_file_of_ones_own` |
//! | A, B, C, D | `openssl req -newkey rsa:4096 … -x509`, `-e REGISTRY_HTTP_ADDR=0.0.0.0:443 -e REGISTRY_HTTP_TLS_…`, `curl -k https://localhost:443`, `curl -kv https://localhost:443/v2/_catalog` | `starting::on_port_443_with_a_self_signed_certificate` |
//! | A, B | `-e REGISTRY_HTTP_ADDR= ` | `starting::with_an_empty_address_which_is_the_default_one` |
//! | C | `docker service create --secret domain.crt …` | `starting::as_a_service_with_its_certificate_in_secrets` |
//! | A, D | `docker run --entrypoint htpasswd registry:2.7 -Bbn …`, realm and path by variables | `users::realm_and_path_are_enough` |
//! | B, D | `-e REGISTRY_AUTH=htpasswd`, three users, `curl -u admin:password …` | `users::three_users_share_one_file` |
//! | B, C | `htpasswd -Bbn` of Apache | `users::the_lines_of_apaches_tool_are_understood` |
//! | C | `curl -I https://$registry/v2/` | `users::a_registry_shows_which_api_it_speaks_before_it_knows_the_user` |
//! | A, C, D | `curl …/v2/_catalog`, `curl …/tags/list`, with `jq` and `--noproxy` | `browsing::the_catalog_and_the_tags` |
//! | C | catalog and tags piped through `jq` and `xargs` | `browsing::a_flat_list_of_all_images` |
//! | D | `list-images.sh` | `browsing::a_script_that_lists_images` |
//! | A, C, D | `curl -H "Accept: …manifest.v2+json" …/manifests/…`, and without `Accept` | `browsing::a_manifest_with_and_without_saying_which_kinds_are_understood` |
//! | A | `GET /<name>/blobs/<digest>` | `browsing::a_blob` |
//! | D | `curl -u admin:… https://registry.example.com/v2/…` | `browsing::everything_over_tls_with_a_password` |
//! | C, D | headers that nginx sets: `Host`, `X-Forwarded-For`, `X-Forwarded-Proto` | `browsing::behind_a_proxy_that_tells_what_the_client_sees` |
//! | D | `du -sh data/docker/registry/v2/repositories/*` | `browsing::how_much_disk_each_repository_takes` |
//! | A | `curl -v -k -X HEAD …`, `curl -v -k -X DELETE …/manifests/<digest>` | `deleting::an_image_by_the_digest_that_head_tells` |
//! | A | the same while deleting is not enabled: 405 | `deleting::nothing_unless_that_is_enabled` |
//! | A | `curl -kv -X DELETE …/blobs/<digest>` | `deleting::a_layer` |
//! | C | the digest cut out of the headers by `grep`, `awk` and `sed` | `deleting::with_a_digest_cut_out_of_the_headers` |
//! | D | `bin/registry garbage-collect [--dry-run] /etc/docker/registry/config.yml`, `docker restart registry` | `deleting::and_then_collecting_the_garbage` |
//! | A, B, D | `docker login`, `certs.d/<host>:443/ca.crt`, `docker tag`, `push`, `pull`, `logout`, `--password-stdin` | `engine::with_a_certificate_in_its_folder_and_a_password` |
//! | A, B, C, D | `insecure-registries`, `docker load`, `push`, `save`; "server gave HTTP response to HTTPS client" | `engine::with_a_registry_that_it_is_told_to_trust` |
//! | A | `docker push david-virtual-machine:444/…` | `engine::with_a_registry_on_another_port_of_its_host` |
//! | D | `storage: s3: accesskey: …` in a file | `object_storage::in_a_bucket_by_a_configuration_file` |
//! | D | MinIO, `-e REGISTRY_STORAGE=s3 -e REGISTRY_STORAGE_S3_…` | `object_storage::in_minio_by_variables` |
//! | D | `proxy: remoteurl`, `username`, `password` | `starting::as_a_mirror_of_another_registry_with_a_login_from_variables` |
//! | C | `curl "https://$registry/token?…"` | there is no token service; the registry asks for Basic credentials |
//! | D | `kubectl create secret docker-registry`, `imagePullSecrets` | the ring `cluster` |
//! | D | `cosign sign` | the ring `clients`, which pushes what cosign pushes |

mod browsing;
mod deleting;
mod engine;
mod machine;
mod object_storage;
mod starting;
mod users;
