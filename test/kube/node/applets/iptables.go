package applets

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// restoreIPv4 is iptables-restore --noflush, restoreIPv6 is ip6tables-restore: of their language, what the injector's
// rules are written in. Anything else is an error, never a rule less.
func restoreIPv4(args []string) error { return restore(nftables.TableFamilyIPv4, args, os.Stdin) }
func restoreIPv6(args []string) error { return restore(nftables.TableFamilyIPv6, args, os.Stdin) }

// builtIn are the chains that each table has, and where packets meet them.
var builtIn = map[string]map[string]*nftables.ChainHook{
	"nat":    {"PREROUTING": nftables.ChainHookPrerouting, "OUTPUT": nftables.ChainHookOutput},
	"filter": {"INPUT": nftables.ChainHookInput, "OUTPUT": nftables.ChainHookOutput},
}

type restorer struct {
	conn   *nftables.Conn
	family nftables.TableFamily
	table  *nftables.Table
	chains map[string]*nftables.Chain
}

func restore(family nftables.TableFamily, args []string, input io.Reader) error {
	if len(args) != 1 || args[0] != "--noflush" {
		return fmt.Errorf("only --noflush is known, not %q", args)
	}
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	r := &restorer{conn: conn, family: family}
	lines := bufio.NewScanner(input)
	for number := 1; lines.Scan(); number++ {
		if err := r.line(lines.Text()); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
	if r.table != nil {
		return fmt.Errorf("no COMMIT")
	}
	return lines.Err()
}

func (r *restorer) line(line string) error {
	words := strings.Fields(line)
	switch {
	case len(words) == 0:
		return nil
	case strings.HasPrefix(line, "*"):
		return r.begin(line[1:])
	case r.table == nil:
		return fmt.Errorf("%q before a table", line)
	case line == "COMMIT":
		r.table = nil
		return r.conn.Flush()
	case strings.HasPrefix(line, ":") && len(words) == 3 && words[1] == "-":
		name := words[0][1:]
		r.chains[name] = r.conn.AddChain(&nftables.Chain{Name: name, Table: r.table})
		return nil
	case words[0] == "-A" && len(words) > 2:
		return r.rule(words[1], words[2:])
	}
	return fmt.Errorf("unknown: %q", line)
}

func (r *restorer) begin(name string) error {
	hooks, found := builtIn[name]
	if !found {
		return fmt.Errorf("unknown table %q", name)
	}
	r.table = r.conn.AddTable(&nftables.Table{Name: name, Family: r.family})
	r.chains = map[string]*nftables.Chain{}
	kind, priority := nftables.ChainTypeFilter, nftables.ChainPriorityFilter
	if name == "nat" {
		kind, priority = nftables.ChainTypeNAT, nftables.ChainPriorityNATDest
	}
	for chain, hook := range hooks {
		r.chains[chain] = r.conn.AddChain(&nftables.Chain{
			Name: chain, Table: r.table, Type: kind, Hooknum: hook, Priority: priority,
		})
	}
	return nil
}

func (r *restorer) rule(chain string, words []string) error {
	to, found := r.chains[chain]
	if !found {
		return fmt.Errorf("unknown chain %q", chain)
	}
	exprs := []expr.Any{}
	for len(words) > 0 {
		option := words[0]
		value := ""
		if option != "--syn" {
			if len(words) < 2 {
				return fmt.Errorf("%s: nothing after it", option)
			}
			value = words[1]
			words = words[1:]
		}
		words = words[1:]
		more, err := r.part(option, value)
		if err != nil {
			return err
		}
		exprs = append(exprs, more...)
	}
	r.conn.AddRule(&nftables.Rule{Table: r.table, Chain: to, Exprs: exprs})
	return nil
}

func (r *restorer) part(option, value string) ([]expr.Any, error) {
	switch option + " " + value {
	case "-p tcp":
		return equal(&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, []byte{unix.IPPROTO_TCP}), nil
	case "-m owner":
		return nil, nil
	case "-i lo":
		return equal(&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1}, append([]byte("lo"), make([]byte, 14)...)), nil
	case "-o lo":
		return equal(&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1}, append([]byte("lo"), make([]byte, 14)...)), nil
	case "--syn ":
		// SYN alone of FIN, SYN, RST and ACK.
		flags := &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 13, Len: 1}
		mask := &expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{0x17}, Xor: []byte{0}}
		return []expr.Any{flags, mask, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{0x02}}}, nil
	case "--reject-with tcp-reset":
		return []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_TCP_RST}}, nil
	}
	switch option {
	case "--dport":
		port, err := strconv.ParseUint(value, 10, 16)
		from := &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}
		return equal(from, binary.BigEndian.AppendUint16(nil, uint16(port))), err
	case "--uid-owner":
		uid, err := strconv.ParseUint(value, 10, 32)
		return equal(&expr.Meta{Key: expr.MetaKeySKUID, Register: 1}, binaryutil.NativeEndian.PutUint32(uint32(uid))), err
	case "--to-ports":
		port, err := strconv.ParseUint(value, 10, 16)
		bytes := binary.BigEndian.AppendUint16(nil, uint16(port))
		return []expr.Any{&expr.Immediate{Register: 1, Data: bytes}, &expr.Redir{RegisterProtoMin: 1}}, err
	case "-d":
		return destination(value, r.family)
	case "-j":
		return r.jump(value)
	}
	return nil, fmt.Errorf("unknown: %s %s", option, value)
}

func (r *restorer) jump(target string) ([]expr.Any, error) {
	switch _, isChain := r.chains[target]; {
	case target == "RETURN":
		return []expr.Any{&expr.Verdict{Kind: expr.VerdictReturn}}, nil
	case target == "REDIRECT" && r.table.Name == "nat", target == "REJECT" && r.table.Name == "filter":
		// What follows it says where to, or how.
		return nil, nil
	case isChain:
		return []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: target}}, nil
	}
	return nil, fmt.Errorf("unknown target %s", target)
}

func destination(text string, family nftables.TableFamily) ([]expr.Any, error) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil || prefix.Addr().Is4() != (family == nftables.TableFamilyIPv4) {
		return nil, fmt.Errorf("%q is no range of the table's family", text)
	}
	// Where each header has its destination.
	offset, length := uint32(16), uint32(4)
	if family == nftables.TableFamilyIPv6 {
		offset, length = 24, 16
	}
	mask := net.CIDRMask(prefix.Bits(), int(length)*8)
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: length},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: length, Mask: mask, Xor: make([]byte, length)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: prefix.Masked().Addr().AsSlice()},
	}, nil
}

func equal(load expr.Any, data []byte) []expr.Any {
	return []expr.Any{load, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: data}}
}
