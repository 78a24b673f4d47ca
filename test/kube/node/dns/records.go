package dns

import (
	"net"
	"strings"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"

	"hansa/kube/node/services"
)

// Records are those of `cluster.local`, by Kubernetes' specification of DNS-based service discovery 1.1.0 for Services.
type Records struct {
	View func() services.View
}

// endpoint is an address of a headless Service with what it may be called.
type endpoint struct {
	ip       net.IP
	hostname string
	ports    []discoveryv1.EndpointPort
}

// Find gives the records of a name and a type, and whether the name exists at all.
func (r *Records) Find(name string, kind uint16) (answers []dns.RR, exists bool) {
	parts := strings.Split(strings.TrimSuffix(name, "."+zone), ".")
	last := len(parts) - 1
	if last < 2 || parts[last] != "svc" || last > 4 {
		return nil, name == zone || name == "svc."+zone
	}
	service, err := r.View().Services.Services(parts[last-1]).Get(parts[last-2])
	if err != nil {
		return nil, false
	}
	prefix := parts[:last-2]
	switch {
	case service.Spec.Type == corev1.ServiceTypeExternalName:
		alias := &dns.CNAME{Hdr: header(name, dns.TypeCNAME), Target: dns.Fqdn(service.Spec.ExternalName)}
		return []dns.RR{alias}, len(prefix) == 0
	case len(prefix) == 2 && strings.HasPrefix(prefix[0], "_"):
		answers = r.ports(name, service, prefix[0][1:], strings.TrimPrefix(prefix[1], "_"))
		return only(answers, kind), len(answers) > 0
	case len(prefix) > 1:
		return nil, false
	case service.Spec.ClusterIP == corev1.ClusterIPNone:
		return r.headless(name, service, prefix, kind)
	case len(prefix) == 1:
		return nil, false
	}
	for _, text := range service.Spec.ClusterIPs {
		answers = append(answers, address(name, net.ParseIP(text)))
	}
	if kind == dns.TypeSRV {
		for _, port := range service.Spec.Ports {
			answers = append(answers, target(name, uint16(port.Port), name))
		}
	}
	return only(answers, kind), true
}

func (r *Records) headless(name string, service *corev1.Service, prefix []string, kind uint16) ([]dns.RR, bool) {
	var answers []dns.RR
	for _, each := range r.endpoints(service) {
		if len(prefix) == 1 && each.hostname != prefix[0] {
			continue
		}
		answers = append(answers, address(name, each.ip))
		if kind == dns.TypeSRV && len(prefix) == 0 {
			for _, port := range each.ports {
				answers = append(answers, target(name, uint16(*port.Port), each.hostname+"."+name))
			}
		}
	}
	return only(answers, kind), len(answers) > 0
}

// ports are the SRV records of a named port.
func (r *Records) ports(name string, service *corev1.Service, port, protocol string) (answers []dns.RR) {
	base := dns.Fqdn(service.Name + "." + service.Namespace + ".svc." + strings.TrimSuffix(zone, "."))
	if service.Spec.ClusterIP != corev1.ClusterIPNone {
		for _, each := range service.Spec.Ports {
			if each.Name == port && strings.EqualFold(string(each.Protocol), protocol) {
				answers = append(answers, target(name, uint16(each.Port), base))
			}
		}
		return answers
	}
	for _, each := range r.endpoints(service) {
		for _, of := range each.ports {
			if of.Name != nil && *of.Name == port && strings.EqualFold(string(*of.Protocol), protocol) {
				answers = append(answers, target(name, uint16(*of.Port), each.hostname+"."+base))
			}
		}
	}
	return answers
}

// endpoints are the ready ones, each with a name of its own: its hostname, else its address in dashes.
func (r *Records) endpoints(service *corev1.Service) (found []endpoint) {
	selector := labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: service.Name})
	slices, err := r.View().Slices.EndpointSlices(service.Namespace).List(selector)
	if err != nil {
		return nil
	}
	for _, slice := range slices {
		for _, each := range slice.Endpoints {
			ready := each.Conditions.Ready == nil || *each.Conditions.Ready
			if !ready && !service.Spec.PublishNotReadyAddresses {
				continue
			}
			for _, text := range each.Addresses {
				hostname := strings.NewReplacer(".", "-", ":", "-").Replace(text)
				if each.Hostname != nil {
					hostname = *each.Hostname
				}
				found = append(found, endpoint{net.ParseIP(text), hostname, slice.Ports})
			}
		}
	}
	return found
}

func address(name string, ip net.IP) dns.RR {
	if ip.To4() != nil {
		return &dns.A{Hdr: header(name, dns.TypeA), A: ip}
	}
	return &dns.AAAA{Hdr: header(name, dns.TypeAAAA), AAAA: ip}
}

func target(name string, port uint16, at string) dns.RR {
	return &dns.SRV{Hdr: header(name, dns.TypeSRV), Weight: 100, Port: port, Target: at}
}

func only(records []dns.RR, kind uint16) (kept []dns.RR) {
	for _, each := range records {
		if kind == dns.TypeANY || each.Header().Rrtype == kind {
			kept = append(kept, each)
		}
	}
	return kept
}
