// CoreDNS with the plugins that its tests need: the peer of `npm run bench -- dns`, and who forwards to an agent.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/file"
	_ "github.com/coredns/coredns/plugin/forward"
)

func main() {
	// In the order in which a query passes them, as in the full program.
	dnsserver.Directives = []string{"bind", "errors", "cache", "file", "forward"}
	coremain.Run()
}
