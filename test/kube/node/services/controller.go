package services

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"hansa/kube/node/config"
	"hansa/kube/node/lab"
)

// View is what is known of an API server's Services.
type View struct {
	Services corelisters.ServiceLister
	Slices   discoverylisters.EndpointSliceLister
}

// Controller keeps the rules as Services and EndpointSlices want them, and gives load balancers their addresses.
type Controller struct {
	Client    kubernetes.Interface
	Cluster   config.Cluster
	Rules     *Rules
	View      func() View
	Addresses *lab.Addresses

	queue workqueue.TypedRateLimitingInterface[types.NamespacedName]
	// known are the rule names of each Service.
	mu    sync.Mutex
	known map[types.NamespacedName][]string
}

// Prepare makes the controller ready to hear of changes.
func (c *Controller) Prepare() {
	limiter := workqueue.DefaultTypedControllerRateLimiter[types.NamespacedName]()
	c.queue = workqueue.NewTypedRateLimitingQueue(limiter)
	c.known = map[types.NamespacedName][]string{}
}

// Handler is for informers of Services and EndpointSlices.
func (c *Controller) Handler() cache.ResourceEventHandler {
	see := func(obj any) {
		if last, ok := obj.(cache.DeletedFinalStateUnknown); ok {
			obj = last.Obj
		}
		switch of := obj.(type) {
		case *corev1.Service:
			c.queue.Add(types.NamespacedName{Namespace: of.Namespace, Name: of.Name})
		case *discoveryv1.EndpointSlice:
			if name, found := of.Labels[discoveryv1.LabelServiceName]; found {
				c.queue.Add(types.NamespacedName{Namespace: of.Namespace, Name: name})
			}
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc: see, UpdateFunc: func(_, obj any) { see(obj) }, DeleteFunc: see,
	}
}

// Again has all Services looked at, those that are no more among them.
func (c *Controller) Again() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.known {
		c.queue.Add(key)
	}
}

// Run works through changes until the context ends.
func (c *Controller) Run(ctx context.Context) {
	go func() {
		<-ctx.Done()
		c.queue.ShutDown()
	}()
	for {
		key, ended := c.queue.Get()
		if ended {
			return
		}
		if err := c.sync(ctx, key); err != nil {
			fmt.Fprintf(os.Stderr, "service %s: %v\n", key, err)
			c.queue.AddRateLimited(key)
		} else {
			c.queue.Forget(key)
		}
		c.queue.Done(key)
	}
}

func (c *Controller) sync(ctx context.Context, key types.NamespacedName) error {
	service, err := c.View().Services.Services(key.Namespace).Get(key.Name)
	var ports []Port
	if err == nil {
		if service, err = c.balancer(ctx, service); err != nil {
			return err
		}
		if ports, err = c.ports(service); err != nil {
			return err
		}
	}
	var names []string
	for _, port := range ports {
		names = append(names, port.Name)
		if err := c.Rules.Set(port); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range c.known[key] {
		if !slices.Contains(names, name) {
			if err := c.Rules.Remove(name); err != nil {
				return err
			}
		}
	}
	c.known[key] = names
	if service == nil {
		delete(c.known, key)
	}
	return nil
}

func (c *Controller) ports(service *corev1.Service) ([]Port, error) {
	selector := labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: service.Name})
	found, err := c.View().Slices.EndpointSlices(service.Namespace).List(selector)
	if err != nil {
		return nil, err
	}
	var ports []Port
	for _, port := range service.Spec.Ports {
		ports = append(ports, Port{
			Name:      fmt.Sprintf("%s/%s:%s/%d", service.Namespace, service.Name, port.Protocol, port.Port),
			Frontends: c.frontends(service, port),
			Backends:  backends(found, port),
			Sticky:    service.Spec.SessionAffinity == corev1.ServiceAffinityClientIP,
		})
	}
	return ports, nil
}

func (c *Controller) frontends(service *corev1.Service, port corev1.ServicePort) []Frontend {
	protocol := map[corev1.Protocol]uint8{corev1.ProtocolTCP: 6, corev1.ProtocolUDP: 17}[port.Protocol]
	var found []Frontend
	add := func(text string, number int32) {
		if address, err := netip.ParseAddr(text); err == nil && address.Is4() && protocol != 0 && number != 0 {
			found = append(found, Frontend{address, protocol, uint16(number)})
		}
	}
	for _, address := range append(slices.Clone(service.Spec.ClusterIPs), service.Spec.ExternalIPs...) {
		add(address, port.Port)
	}
	for _, ingress := range service.Status.LoadBalancer.Ingress {
		add(ingress.IP, port.Port)
	}
	add(c.Cluster.OuterIP.String(), port.NodePort)
	for _, node := range c.Cluster.Nodes {
		add(node.IP.String(), port.NodePort)
	}
	return found
}

// backends are the ready endpoints of a port; where none is ready, those that end but still answer.
func backends(found []*discoveryv1.EndpointSlice, port corev1.ServicePort) []netip.AddrPort {
	var ready, serving []netip.AddrPort
	for _, slice := range found {
		if slice.AddressType != discoveryv1.AddressTypeIPv4 {
			continue
		}
		for _, each := range slice.Ports {
			if each.Port == nil || name(each.Name) != port.Name {
				continue
			}
			for _, endpoint := range slice.Endpoints {
				conditions := endpoint.Conditions
				for _, text := range endpoint.Addresses {
					address, err := netip.ParseAddr(text)
					if err != nil {
						continue
					}
					target := netip.AddrPortFrom(address, uint16(*each.Port))
					if conditions.Ready == nil || *conditions.Ready {
						ready = append(ready, target)
					} else if conditions.Serving != nil && *conditions.Serving {
						serving = append(serving, target)
					}
				}
			}
		}
	}
	if len(ready) == 0 {
		ready = serving
	}
	slices.SortFunc(ready, netip.AddrPort.Compare)
	return slices.Compact(ready)
}

func name(given *string) string {
	if given == nil {
		return ""
	}
	return *given
}

// balancer gives a Service of type LoadBalancer an address that other clusters can call.
func (c *Controller) balancer(ctx context.Context, service *corev1.Service) (*corev1.Service, error) {
	wanted := service.Spec.Type == corev1.ServiceTypeLoadBalancer && service.Spec.LoadBalancerClass == nil
	ingress := service.Status.LoadBalancer.Ingress
	if !wanted || len(ingress) > 0 {
		if len(ingress) > 0 {
			if address, err := netip.ParseAddr(ingress[0].IP); err == nil {
				c.Addresses.Claim(address)
			}
		}
		return service, nil
	}
	address, err := c.Addresses.Take()
	if err != nil {
		return nil, err
	}
	mode := corev1.LoadBalancerIPModeVIP
	status := corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{IP: address.String(), IPMode: &mode}}}
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"loadBalancer": status}})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	patched, err := c.Client.CoreV1().Services(service.Namespace).Patch(
		ctx, service.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	if err != nil {
		c.Addresses.Release(address)
	}
	return patched, err
}
