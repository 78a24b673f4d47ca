// Package lab is the network that nodes and pods live in: a namespace for each cluster and one between them, a veth pair
// and a /32 route for each pod. There is no bridge: all traffic between pods is routed, so that service rules see both
// directions of it.
package lab

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"hansa/kube/node/netns"
)

// Lab is one cluster's namespace, with the routes between its pods.
type Lab struct {
	*netns.Netns
	links *netlink.Handle

	mu   sync.Mutex
	next int
}

// New makes the namespace.
func New() (*Lab, error) {
	space, err := netns.New()
	if err != nil {
		return nil, err
	}
	links, err := linksOf(space)
	if err != nil {
		return nil, err
	}
	lab := &Lab{Netns: space, links: links}
	if err := up(links, "lo"); err != nil {
		return nil, err
	}
	if err := sysctlIPv6(space, ipv6Settings, ipv6Forwarding); err != nil {
		return nil, err
	}
	return lab, sysctl(space, forwarding)
}

var forwarding = map[string]string{
	"ipv4/ip_forward":             "1",
	"ipv4/conf/all/rp_filter":     "0",
	"ipv4/conf/default/rp_filter": "0",
}

// Claim makes an address the cluster's own, and a range one whose addresses can be called from there: what they stand for
// is the service rules' business.
func (l *Lab) Claim(address netip.Addr, ranges ...netip.Prefix) error {
	lo, err := l.links.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := l.links.AddrAdd(lo, &netlink.Addr{IPNet: host(address)}); err != nil {
		return err
	}
	for _, each := range ranges {
		route := &netlink.Route{LinkIndex: lo.Attrs().Index, Dst: network(each), Src: address.AsSlice()}
		if err := l.links.RouteAdd(route); err != nil {
			return err
		}
	}
	return nil
}

// Attach makes a namespace for a pod, with `address` on eth0 and `gateway` (an address of the lab) as the way out.
func (l *Lab) Attach(address, gateway netip.Addr) (*netns.Netns, error) {
	pod, err := netns.New()
	if err != nil {
		return nil, err
	}
	if err := l.connect(pod, address, gateway); err != nil {
		pod.Close()
		return nil, fmt.Errorf("network of pod %s: %w", address, err)
	}
	return pod, nil
}

func (l *Lab) connect(pod *netns.Netns, address, gateway netip.Addr) error {
	l.mu.Lock()
	l.next++
	name := fmt.Sprintf("pod%d", l.next)
	l.mu.Unlock()
	if err := sysctlIPv6(pod, ipv6Settings); err != nil {
		return err
	}
	pair := &netlink.Veth{
		LinkAttrs:     netlink.LinkAttrs{Name: name, MTU: 1500},
		PeerName:      "eth0",
		PeerNamespace: netlink.NsFd(pod.Fd()),
	}
	if err := l.links.LinkAdd(pair); err != nil {
		return err
	}
	inner, err := linksOf(pod)
	if err != nil {
		return err
	}
	defer inner.Close()
	if err := configure(inner, "eth0", address, gateway); err != nil {
		return err
	}
	if err := up(l.links, name); err != nil {
		return err
	}
	outer, err := l.links.LinkByName(name)
	if err != nil {
		return err
	}
	route := &netlink.Route{LinkIndex: outer.Attrs().Index, Dst: host(address), Scope: netlink.SCOPE_LINK}
	if err := l.links.RouteAdd(route); err != nil {
		return err
	}
	eth0, err := inner.LinkByName("eth0")
	if err != nil {
		return err
	}
	if err := connectIPv6(l.links, inner, outer, eth0, address); err != nil {
		return err
	}
	// As container runtimes set it, so that a pod's root needs no capability for port 80.
	return sysctl(pod, map[string]string{"ipv4/ip_unprivileged_port_start": "0"})
}

// configure sets up the inner side of a pair. The gateway is on no subnet of it, hence "onlink".
func configure(links *netlink.Handle, name string, address, gateway netip.Addr) error {
	for _, each := range []string{"lo", name} {
		if err := up(links, each); err != nil {
			return err
		}
	}
	link, err := links.LinkByName(name)
	if err != nil {
		return err
	}
	if err := links.AddrAdd(link, &netlink.Addr{IPNet: host(address)}); err != nil {
		return err
	}
	return links.RouteAdd(&netlink.Route{
		LinkIndex: link.Attrs().Index, Gw: gateway.AsSlice(), Flags: unix.RTNH_F_ONLINK,
	})
}

// linksOf opens netlink from inside a namespace. NewHandleAt would go there and back, and back to the machine's own is a
// way that only its root may go.
func linksOf(space *netns.Netns) (links *netlink.Handle, err error) {
	err = space.Do(func() error {
		links, err = netlink.NewHandle()
		return err
	})
	return links, err
}

func up(links *netlink.Handle, name string) error {
	link, err := links.LinkByName(name)
	if err != nil {
		return err
	}
	return links.LinkSetUp(link)
}

func host(address netip.Addr) *net.IPNet {
	return &net.IPNet{IP: address.AsSlice(), Mask: net.CIDRMask(address.BitLen(), address.BitLen())}
}

func network(prefix netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen())}
}

// sysctl writes settings of the network namespace: the kernel shows each thread those of its own.
func sysctl(space *netns.Netns, settings map[string]string) error {
	return space.Do(func() error {
		for name, value := range settings {
			if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644); err != nil {
				return err
			}
		}
		return nil
	})
}
