// Package dns is a cluster's resolver: `cluster.local` from Services and EndpointSlices, and other zones forwarded where
// the Corefile says so, as CoreDNS does. It forwards nothing to the machine's own resolver: a name of neither does not exist.
package dns

import (
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"

	"hansa/kube/node/lab"
)

const (
	zone       = "cluster.local."
	ttlSeconds = 5
	forwardFor = 2 * time.Second
)

// Server answers one cluster's pods.
type Server struct {
	Lab     *lab.Lab
	Records Records
	// Stubs tells where a zone is forwarded to: zone (with its dot) to host:port.
	Stubs func() map[string]string
}

// Serve answers on port 53 of an address of the cluster's until the process ends.
func (s *Server) Serve(address string) error {
	listener, err := s.Lab.Listen(net.JoinHostPort(address, "53"))
	if err != nil {
		return err
	}
	packets, err := s.Lab.ListenPacket(net.JoinHostPort(address, "53"))
	if err != nil {
		return err
	}
	failed := make(chan error)
	for _, server := range []*dns.Server{{Listener: listener, Handler: s}, {PacketConn: packets, Handler: s}} {
		go func() { failed <- server.ActivateAndServe() }()
	}
	return <-failed
}

// ServeDNS answers one question.
func (s *Server) ServeDNS(w dns.ResponseWriter, request *dns.Msg) {
	if len(request.Question) != 1 {
		reply(w, request, dns.RcodeFormatError, nil)
		return
	}
	name := strings.ToLower(request.Question[0].Name)
	if to, found := s.stub(name); found {
		s.forward(w, request, to)
		return
	}
	if !dns.IsSubDomain(zone, name) {
		reply(w, request, dns.RcodeNameError, nil)
		return
	}
	answers, exists := s.Records.Find(name, request.Question[0].Qtype)
	code := dns.RcodeSuccess
	if !exists {
		code = dns.RcodeNameError
	}
	reply(w, request, code, answers)
}

// stub finds the longest zone that a name is in.
func (s *Server) stub(name string) (to string, found bool) {
	longest := ""
	for each, target := range s.Stubs() {
		if dns.IsSubDomain(each, name) && len(each) > len(longest) {
			longest, to, found = each, target, true
		}
	}
	return to, found
}

// forward asks by the protocol that it was asked by.
func (s *Server) forward(w dns.ResponseWriter, request *dns.Msg, to string) {
	network := "udp"
	if _, tcp := w.RemoteAddr().(*net.TCPAddr); tcp {
		network = "tcp"
	}
	conn, err := s.Lab.Dial(net.Dialer{Timeout: forwardFor}, network+"4", to)
	if err != nil {
		reply(w, request, dns.RcodeServerFailure, nil)
		return
	}
	defer conn.Close()
	client := dns.Client{Net: network, Timeout: forwardFor}
	answer, _, err := client.ExchangeWithConn(request, &dns.Conn{Conn: conn, UDPSize: dns.DefaultMsgSize})
	if err != nil {
		reply(w, request, dns.RcodeServerFailure, nil)
		return
	}
	w.WriteMsg(answer)
}

func reply(w dns.ResponseWriter, request *dns.Msg, code int, answers []dns.RR) {
	message := new(dns.Msg)
	message.SetRcode(request, code)
	message.Authoritative = true
	message.Answer = answers
	if len(answers) == 0 && code != dns.RcodeFormatError {
		message.Ns = []dns.RR{&dns.SOA{
			Hdr: header(zone, dns.TypeSOA), Ns: "ns.dns." + zone, Mbox: "hostmaster." + zone,
			Serial: uint32(time.Now().Unix()), Refresh: 7200, Retry: 1800, Expire: 86400, Minttl: ttlSeconds,
		}}
	}
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		size := dns.MinMsgSize
		if extended := request.IsEdns0(); extended != nil {
			size = int(extended.UDPSize())
		}
		message.Truncate(size)
	}
	w.WriteMsg(message)
}

func header(name string, kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: ttlSeconds}
}
