// Package services gives Services the addresses that they have in a cluster, as kube-proxy does: nftables rules in the
// cluster's namespace, changed service by service.
package services

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"hansa/kube/node/config"
	"hansa/kube/node/lab"
)

// The kernel lets expressions use registers of 4 bytes: the first of 16 bytes is the same as the first four of those.
const (
	register0 = unix.NFT_REG_1
	register1 = unix.NFT_REG32_00 + 1
	register2 = unix.NFT_REG32_00 + 2
)

// icmpPortUnreachable is what a caller takes for a refused connection (RFC 792).
const icmpPortUnreachable = 3

var (
	frontendType = nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetProto, nftables.TypeInetService)
	backendType  = nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetService)
	pairType     = nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeIPAddr)
)

// Frontend is where a port of a Service is called.
type Frontend struct {
	IP       netip.Addr
	Protocol uint8
	Port     uint16
}

// Port is a port of a Service: what it is called by and who answers. Nobody answering is a refusal.
type Port struct {
	// Name is unique in the cluster.
	Name      string
	Frontends []Frontend
	Backends  []netip.AddrPort
	// Sticky keeps a client with one backend while the backends stay the same.
	Sticky bool
}

func (p Port) same(other Port) bool {
	return slices.Equal(p.Frontends, other.Frontends) && slices.Equal(p.Backends, other.Backends) && p.Sticky == other.Sticky
}

// Rules are the nftables of one cluster. Not for use by two goroutines at once.
type Rules struct {
	conn      *nftables.Conn
	table     *nftables.Table
	frontends *nftables.Set
	hairpins  *nftables.Set
	ports     map[string]Port
}

// NewRules sets up the tables of a cluster in its namespace.
func NewRules(network *lab.Lab, cluster config.Cluster) (*Rules, error) {
	var conn *nftables.Conn
	err := network.Do(func() (err error) {
		conn, err = nftables.New(nftables.AsLasting())
		return err
	})
	if err != nil {
		return nil, err
	}
	r := &Rules{conn: conn, ports: map[string]Port{}}
	r.table = conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "services"})
	r.frontends = &nftables.Set{
		Table: r.table, Name: "frontends", IsMap: true, Concatenation: true,
		KeyType: frontendType, DataType: nftables.TypeVerdict,
	}
	r.hairpins = &nftables.Set{Table: r.table, Name: "hairpins", Concatenation: true, KeyType: pairType}
	for _, set := range []*nftables.Set{r.frontends, r.hairpins} {
		if err := conn.AddSet(set, nil); err != nil {
			return nil, err
		}
	}
	r.translate()
	r.refuse(cluster)
	r.leave(cluster)
	return r, conn.Flush()
}

// translate sends what is called by a frontend into its port's chain.
func (r *Rules) translate() {
	hooks := map[string]*nftables.ChainHook{
		"prerouting": nftables.ChainHookPrerouting, "output": nftables.ChainHookOutput,
	}
	for name, hook := range hooks {
		chain := r.conn.AddChain(&nftables.Chain{
			Name: name, Table: r.table, Type: nftables.ChainTypeNAT, Hooknum: hook, Priority: nftables.ChainPriorityNATDest,
		})
		r.conn.AddRule(&nftables.Rule{Table: r.table, Chain: chain, Exprs: []expr.Any{
			destination(register0),
			&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: register1},
			&expr.Payload{DestRegister: register2, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
			&expr.Lookup{SourceRegister: register0, IsDestRegSet: true, SetName: r.frontends.Name, SetID: r.frontends.ID},
		}})
	}
}

// refuse answers for addresses of Services that nobody answers for.
func (r *Rules) refuse(cluster config.Cluster) {
	hooks := map[string]*nftables.ChainHook{
		"refuse-forward": nftables.ChainHookForward, "refuse-output": nftables.ChainHookOutput,
	}
	for name, hook := range hooks {
		chain := r.conn.AddChain(&nftables.Chain{
			Name: name, Table: r.table, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: nftables.ChainPriorityFilter,
		})
		for _, prefix := range []netip.Prefix{cluster.ServiceCIDR, cluster.LoadBalancerCIDR} {
			r.conn.AddRule(&nftables.Rule{Table: r.table, Chain: chain, Exprs: append(
				within(destination(register0), prefix),
				&expr.Reject{Type: unix.NFT_REJECT_ICMP_UNREACH, Code: icmpPortUnreachable},
			)})
		}
	}
}

// leave gives what leaves the cluster its outer address, and what a pod sends to itself by a Service the node's: else the
// answer would not come back this way.
func (r *Rules) leave(cluster config.Cluster) {
	chain := r.conn.AddChain(&nftables.Chain{
		Name: "postrouting", Table: r.table, Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource,
	})
	interfaceName := make([]byte, 16)
	copy(interfaceName, "uplink")
	r.conn.AddRule(&nftables.Rule{Table: r.table, Chain: chain, Exprs: append(
		append(within(source(register0), cluster.PodCIDR),
			&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: register0},
			&expr.Cmp{Op: expr.CmpOpEq, Register: register0, Data: interfaceName}),
		snat(cluster.OuterIP)...,
	)})
	r.conn.AddRule(&nftables.Rule{Table: r.table, Chain: chain, Exprs: append([]expr.Any{
		source(register0),
		destination(register1),
		&expr.Lookup{SourceRegister: register0, SetName: r.hairpins.Name, SetID: r.hairpins.ID},
	}, snat(cluster.Nodes[0].IP)...)})
}

// Set makes a port what it is now to be, in one transaction.
func (r *Rules) Set(port Port) error {
	if len(port.Backends) == 0 || len(port.Frontends) == 0 {
		return r.Remove(port.Name)
	}
	before := r.ports[port.Name]
	if before.same(port) {
		// The kernel checks all chains of the table at each change.
		return nil
	}
	chain := &nftables.Chain{Name: port.Name, Table: r.table}
	r.conn.AddChain(chain)
	r.conn.FlushChain(chain)
	if err := r.balance(chain, port); err != nil {
		return err
	}
	if err := r.change(before.Frontends, port.Frontends, chain.Name); err != nil {
		return err
	}
	if err := r.conn.SetAddElements(r.hairpins, pairs(port.Backends)); err != nil {
		return err
	}
	if err := r.conn.Flush(); err != nil {
		return err
	}
	r.ports[port.Name] = port
	return nil
}

// Remove has a port refused from now on.
func (r *Rules) Remove(name string) error {
	before, known := r.ports[name]
	if !known {
		return nil
	}
	if err := r.change(before.Frontends, nil, name); err != nil {
		return err
	}
	chain := &nftables.Chain{Name: name, Table: r.table}
	r.conn.FlushChain(chain)
	r.conn.DelChain(chain)
	if err := r.conn.Flush(); err != nil {
		return err
	}
	delete(r.ports, name)
	return nil
}

// balance writes the one rule of a port: a number for each new connection, and the backend of that number.
func (r *Rules) balance(chain *nftables.Chain, port Port) error {
	backends := &nftables.Set{
		Table: r.table, Anonymous: true, Constant: true, IsMap: true,
		KeyType: nftables.TypeInteger, DataType: backendType,
	}
	var elements []nftables.SetElement
	for index, backend := range port.Backends {
		value := append(backend.Addr().AsSlice(), bigEndian(backend.Port())...)
		elements = append(elements, nftables.SetElement{
			Key: binaryutil.NativeEndian.PutUint32(uint32(index)), Val: append(value, 0, 0),
		})
	}
	if err := r.conn.AddSet(backends, elements); err != nil {
		return err
	}
	modulus := uint32(len(port.Backends))
	pick := []expr.Any{&expr.Numgen{Register: register0, Type: unix.NFT_NG_RANDOM, Modulus: modulus}}
	if port.Sticky {
		pick = []expr.Any{source(register0), &expr.Hash{
			SourceRegister: register0, DestRegister: register0, Length: 4, Modulus: modulus, Seed: 1, Type: expr.HashTypeJenkins,
		}}
	}
	r.conn.AddRule(&nftables.Rule{Table: r.table, Chain: chain, Exprs: append(pick,
		&expr.Lookup{
			SourceRegister: register0, DestRegister: register0, IsDestRegSet: true,
			SetName: backends.Name, SetID: backends.ID,
		},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: register0, RegProtoMin: register1},
	)})
	return nil
}

func (r *Rules) change(before, after []Frontend, chain string) error {
	old, wanted := map[Frontend]bool{}, map[Frontend]bool{}
	for _, each := range before {
		old[each] = true
	}
	var added, removed []nftables.SetElement
	for _, each := range after {
		wanted[each] = true
		if !old[each] {
			verdict := &expr.Verdict{Kind: expr.VerdictGoto, Chain: chain}
			added = append(added, nftables.SetElement{Key: frontendKey(each), VerdictData: verdict})
		}
	}
	for _, each := range before {
		if !wanted[each] {
			verdict := &expr.Verdict{Kind: expr.VerdictGoto, Chain: chain}
			removed = append(removed, nftables.SetElement{Key: frontendKey(each), VerdictData: verdict})
		}
	}
	if len(removed) > 0 {
		if err := r.conn.SetDeleteElements(r.frontends, removed); err != nil {
			return err
		}
	}
	if len(added) > 0 {
		return r.conn.SetAddElements(r.frontends, added)
	}
	return nil
}

// frontendKey has each part at a multiple of 4 bytes, as the registers are.
func frontendKey(frontend Frontend) []byte {
	key := append(frontend.IP.AsSlice(), frontend.Protocol, 0, 0, 0)
	return append(append(key, bigEndian(frontend.Port)...), 0, 0)
}

func pairs(backends []netip.AddrPort) []nftables.SetElement {
	var elements []nftables.SetElement
	for _, backend := range backends {
		address := backend.Addr().AsSlice()
		elements = append(elements, nftables.SetElement{Key: append(append([]byte{}, address...), address...)})
	}
	return elements
}

func source(register uint32) *expr.Payload {
	return &expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: 12, Len: 4}
}

func destination(register uint32) *expr.Payload {
	return &expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4}
}

// within goes on where the address that was loaded into the first register is in a range.
func within(load *expr.Payload, prefix netip.Prefix) []expr.Any {
	mask := make([]byte, 4)
	binary.BigEndian.PutUint32(mask, ^uint32(0)<<(32-prefix.Bits()))
	return []expr.Any{
		load,
		&expr.Bitwise{SourceRegister: register0, DestRegister: register0, Len: 4, Mask: mask, Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register0, Data: prefix.Masked().Addr().AsSlice()},
	}
}

func snat(address netip.Addr) []expr.Any {
	return []expr.Any{
		&expr.Immediate{Register: register0, Data: address.AsSlice()},
		&expr.NAT{Type: expr.NATTypeSourceNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: register0},
	}
}

func bigEndian(port uint16) []byte {
	return binary.BigEndian.AppendUint16(nil, port)
}
