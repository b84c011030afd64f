// Programs of which the tests make container images.
module berth.dev/tests/tools/containers

go 1.26.0
