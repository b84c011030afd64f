// Command coredns is CoreDNS with the few plugins that name resolution in a cluster needs, so that it builds quickly and stays small.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loop"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"
)

// The order in which a query passes the plugins; the Corefile's own order does not matter.
func init() {
	dnsserver.Directives = []string{
		"reload", "ready", "health", "errors", "cache", "kubernetes", "loop", "forward",
	}
}

func main() {
	coremain.Run()
}
