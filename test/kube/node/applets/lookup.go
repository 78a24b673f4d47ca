package applets

import (
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// lookUp is `nslookup [-type=TYPE] NAME`, with BIND's way of writing answers.
func lookUp(args []string) error {
	kinds, name := []uint16{dns.TypeA, dns.TypeAAAA}, ""
	for _, arg := range args {
		if kind, ok := strings.CutPrefix(arg, "-type="); ok {
			number, known := dns.StringToType[strings.ToUpper(kind)]
			if !known {
				return fmt.Errorf("unknown type %s", kind)
			}
			kinds = []uint16{number}
		} else if !strings.HasPrefix(arg, "-") {
			name = arg
		}
	}
	if name == "" {
		return fmt.Errorf("usage: nslookup [-type=TYPE] NAME")
	}
	config, err := dns.ClientConfigFromFile("/etc/resolv.conf")
	if err != nil {
		return err
	}
	if len(config.Servers) == 0 {
		return fmt.Errorf("no servers in /etc/resolv.conf")
	}
	server := net.JoinHostPort(config.Servers[0], config.Port)
	fmt.Printf("Server:\t\t%s\nAddress:\t%s#%s\n\n", config.Servers[0], config.Servers[0], config.Port)
	code := dns.RcodeNameError
	for _, candidate := range config.NameList(name) {
		var answers []dns.RR
		for _, kind := range kinds {
			found, err := ask(server, candidate, kind)
			if err != nil {
				fmt.Printf(";; connection timed out; no servers could be reached\n")
				return err
			}
			code = found.Rcode
			answers = append(answers, found.Answer...)
		}
		if len(answers) > 0 {
			for _, each := range answers {
				fmt.Println(written(each))
			}
			return nil
		}
		if code == dns.RcodeSuccess {
			fmt.Printf("*** Can't find %s: No answer\n", name)
			return nil
		}
	}
	fmt.Printf("** server can't find %s: %s\n", strings.TrimSuffix(name, "."), dns.RcodeToString[code])
	return fmt.Errorf("%s: %s", name, dns.RcodeToString[code])
}

func ask(server, name string, kind uint16) (*dns.Msg, error) {
	question := new(dns.Msg)
	question.SetQuestion(dns.Fqdn(name), kind)
	question.SetEdns0(1232, false)
	client := dns.Client{Timeout: 3 * time.Second}
	answer, _, err := client.Exchange(question, server)
	if err == nil && answer.Truncated {
		client.Net = "tcp"
		answer, _, err = client.Exchange(question, server)
	}
	return answer, err
}

func written(record dns.RR) string {
	name := strings.TrimSuffix(record.Header().Name, ".")
	switch of := record.(type) {
	case *dns.A:
		return fmt.Sprintf("Name:\t%s\nAddress: %s", name, of.A)
	case *dns.AAAA:
		return fmt.Sprintf("Name:\t%s\nAddress: %s", name, of.AAAA)
	case *dns.SRV:
		return fmt.Sprintf("%s\tservice = %d %d %d %s", name, of.Priority, of.Weight, of.Port, of.Target)
	case *dns.CNAME:
		return fmt.Sprintf("%s\tcanonical name = %s", name, of.Target)
	case *dns.TXT:
		return fmt.Sprintf("%s\ttext = %q", name, strings.Join(of.Txt, ""))
	default:
		return record.String()
	}
}
