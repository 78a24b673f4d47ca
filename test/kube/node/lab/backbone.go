package lab

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"hansa/kube/node/netns"
)

// uplink is the name of a cluster's link to the others.
const uplink = "uplink"

// router is the backbone's own address.
var router = netip.MustParseAddr("10.127.255.254")

// Backbone is what lies between clusters: it knows their outer addresses and their load balancers', and nothing of pods
// and Services. What leaves a cluster has to take its outer address (services.Rules).
type Backbone struct {
	space *netns.Netns
	links *netlink.Handle
	count int
}

// NewBackbone makes it, with no cluster joined.
func NewBackbone() (*Backbone, error) {
	space, err := netns.New()
	if err != nil {
		return nil, err
	}
	links, err := linksOf(space)
	if err != nil {
		return nil, err
	}
	backbone := &Backbone{space: space, links: links}
	if err := up(links, "lo"); err != nil {
		return nil, err
	}
	if err := backbone.addRouter(); err != nil {
		return nil, err
	}
	return backbone, sysctl(space, forwarding)
}

func (b *Backbone) addRouter() error {
	lo, err := b.links.LinkByName("lo")
	if err != nil {
		return err
	}
	return b.links.AddrAdd(lo, &netlink.Addr{IPNet: host(router)})
}

// Join connects a cluster: `outer` is its address here, behind which are its load balancers.
func (b *Backbone) Join(cluster *Lab, outer netip.Addr, loadBalancers netip.Prefix) error {
	b.count++
	name := fmt.Sprintf("cluster%d", b.count)
	pair := &netlink.Veth{
		LinkAttrs:     netlink.LinkAttrs{Name: name, MTU: 1500},
		PeerName:      uplink,
		PeerNamespace: netlink.NsFd(cluster.Fd()),
	}
	if err := b.links.LinkAdd(pair); err != nil {
		return err
	}
	if err := configure(cluster.links, uplink, outer, router); err != nil {
		return err
	}
	if err := up(b.links, name); err != nil {
		return err
	}
	link, err := b.links.LinkByName(name)
	if err != nil {
		return err
	}
	index := link.Attrs().Index
	if err := b.links.RouteAdd(&netlink.Route{LinkIndex: index, Dst: host(outer), Scope: netlink.SCOPE_LINK}); err != nil {
		return err
	}
	return b.links.RouteAdd(&netlink.Route{
		LinkIndex: index, Dst: network(loadBalancers), Gw: outer.AsSlice(), Flags: unix.RTNH_F_ONLINK,
	})
}
