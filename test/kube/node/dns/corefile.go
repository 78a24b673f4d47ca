package dns

import (
	"net"
	"regexp"
	"strings"

	"github.com/miekg/dns"
)

var (
	serverBlock = regexp.MustCompile(`(?m)^([^\s#{}][^{}#]*)\{((?:[^{}]|\{[^{}]*\})*)\}`)
	forwardLine = regexp.MustCompile(`(?m)^\s*forward\s+(\S+)\s+(\S+)`)
)

// stubsOf reads the zones that a Corefile forwards, each to its first address. What lies below the root zone is not
// looked at: the lab has no resolver above it.
func stubsOf(corefile string) map[string]string {
	stubs := map[string]string{}
	for _, block := range serverBlock.FindAllStringSubmatch(corefile, -1) {
		line := forwardLine.FindStringSubmatch(block[2])
		if line == nil {
			continue
		}
		to := strings.TrimPrefix(line[2], "dns://")
		if _, _, err := net.SplitHostPort(to); err != nil {
			to = net.JoinHostPort(to, "53")
		}
		for _, zone := range strings.Fields(block[1]) {
			zone, _, _ = strings.Cut(strings.TrimPrefix(zone, "dns://"), ":")
			if zone = dns.Fqdn(strings.ToLower(zone)); zone != "." && net.ParseIP(to[:strings.LastIndex(to, ":")]) != nil {
				stubs[zone] = to
			}
		}
	}
	return stubs
}
