package lab

import (
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"hansa/kube/node/netns"
)

// Pods are reached by IPv6 too, at fd00:10::A.B.C.D, where the machine has it. Nobody is told: no status, no slice and no
// name says so. It is there to be tried.
var (
	ipv6Range   = netip.MustParsePrefix("fd00:10::/96")
	ipv6Gateway = netip.MustParseAddr("fe80::1")
	// Before a link is made: its addresses count at once.
	ipv6Settings = map[string]string{
		"ipv6/conf/all/accept_dad": "0", "ipv6/conf/default/accept_dad": "0",
	}
	ipv6Forwarding = map[string]string{"ipv6/conf/all/forwarding": "1"}
)

func hasIPv6() bool {
	_, err := os.Stat("/proc/sys/net/ipv6")
	return err == nil
}

func ipv6Of(address netip.Addr) netip.Addr {
	bytes := ipv6Range.Addr().As16()
	own := address.As4()
	copy(bytes[12:], own[:])
	return netip.AddrFrom16(bytes)
}

func sysctlIPv6(space *netns.Netns, settings ...map[string]string) error {
	if !hasIPv6() {
		return nil
	}
	for _, each := range settings {
		if err := sysctl(space, each); err != nil {
			return err
		}
	}
	return nil
}

// connectIPv6 gives both ends of a pair their addresses, and each the way to the other.
func connectIPv6(outer, inner *netlink.Handle, outerLink, innerLink netlink.Link, address netip.Addr) error {
	if !hasIPv6() {
		return nil
	}
	own := ipv6Of(address)
	link := &net.IPNet{IP: ipv6Gateway.AsSlice(), Mask: net.CIDRMask(64, 128)}
	if err := outer.AddrAdd(outerLink, &netlink.Addr{IPNet: link, Flags: unix.IFA_F_NODAD}); err != nil {
		return err
	}
	if err := inner.AddrAdd(innerLink, &netlink.Addr{IPNet: host(own), Flags: unix.IFA_F_NODAD}); err != nil {
		return err
	}
	there := &netlink.Route{LinkIndex: outerLink.Attrs().Index, Dst: host(own)}
	if err := outer.RouteAdd(there); err != nil {
		return err
	}
	back := &netlink.Route{
		LinkIndex: innerLink.Attrs().Index, Dst: network(ipv6Range), Gw: ipv6Gateway.AsSlice(), Flags: unix.RTNH_F_ONLINK,
	}
	return inner.RouteAdd(back)
}
