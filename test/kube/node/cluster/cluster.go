// Package cluster joins the parts of the emulator for one cluster: its network, its nodes and what runs on them.
package cluster

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/record"

	"hansa/kube/node/config"
	"hansa/kube/node/dns"
	"hansa/kube/node/kubelet"
	"hansa/kube/node/lab"
	"hansa/kube/node/pods"
	"hansa/kube/node/services"
	"hansa/kube/node/tunnel"
)

// apiServerPort is where pods reach the API server at their node; the Service `kubernetes` leads there.
const apiServerPort = 6443

// Start runs one cluster's nodes until the context ends. It returns when they are ready for pods.
func Start(ctx context.Context, all *config.Config, cluster config.Cluster, backbone *lab.Backbone) error {
	network, err := newNetwork(cluster, backbone)
	if err != nil {
		return err
	}
	client, err := newClient(cluster)
	if err != nil {
		return err
	}
	rules, err := services.NewRules(network, cluster)
	if err != nil {
		return fmt.Errorf("service rules: %w", err)
	}
	seen := &sight{client: client}
	seen.services = &services.Controller{
		Client: client, Cluster: cluster, Rules: rules, View: seen.view,
		Addresses: lab.NewAddresses(cluster.LoadBalancerCIDR, cluster.LoadBalancerCIDR.Addr().Next()),
	}
	seen.services.Prepare()
	seen.pods = pods.NewManager(&pods.Host{
		Client: client, Config: all, Cluster: cluster, Lab: network, Events: events(ctx, client, cluster),
		Addresses: lab.NewAddresses(cluster.PodCIDR, firstPod(cluster.PodCIDR)),
	})
	if err := register(ctx, client, cluster); err != nil {
		return err
	}
	if err := seen.open(ctx); err != nil {
		return err
	}
	go seen.services.Run(ctx)
	resolver := &dns.Server{Lab: network, Stubs: seen.stubs.Get, Records: dns.Records{View: seen.view}}
	if err := serve(cluster, network, seen.pods, resolver); err != nil {
		return err
	}
	go seen.reopen(ctx)
	return ctx.Err()
}

func newNetwork(cluster config.Cluster, backbone *lab.Backbone) (*lab.Lab, error) {
	network, err := lab.New()
	if err != nil {
		return nil, err
	}
	if err := backbone.Join(network, cluster.OuterIP, cluster.LoadBalancerCIDR); err != nil {
		return nil, fmt.Errorf("backbone: %w", err)
	}
	for index, node := range cluster.Nodes {
		var ranges []netip.Prefix
		if index == 0 {
			ranges = []netip.Prefix{cluster.ServiceCIDR, cluster.LoadBalancerCIDR}
		}
		if err := network.Claim(node.IP, ranges...); err != nil {
			return nil, fmt.Errorf("address of node %s: %w", node.Name, err)
		}
	}
	return network, nil
}

func newClient(cluster config.Cluster) (kubernetes.Interface, error) {
	settings, err := clientcmd.BuildConfigFromFlags("", cluster.Kubeconfig)
	if err != nil {
		return nil, err
	}
	settings.QPS, settings.Burst = 200, 400
	settings.UserAgent = "lab-node"
	return kubernetes.NewForConfig(settings)
}

func events(ctx context.Context, client kubernetes.Interface, cluster config.Cluster) record.EventRecorder {
	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	broadcaster.StartRecordingToSink(&corev1client.EventSinkImpl{Interface: client.CoreV1().Events("")})
	return broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "kubelet", Host: cluster.Nodes[0].Name})
}

// firstPod leaves the first 256 addresses of the range to nodes.
func firstPod(prefix netip.Prefix) netip.Addr {
	bytes := prefix.Masked().Addr().As4()
	bytes[2], bytes[3] = 1, 1
	return netip.AddrFrom4(bytes)
}

// serve opens everything that is called by address; what fails later is said, and that part is down.
func serve(cluster config.Cluster, network *lab.Lab, manager *pods.Manager, resolver *dns.Server) error {
	gateway := cluster.Nodes[0].IP.String()
	apiServer := config.Forward{Port: apiServerPort, To: cluster.APIServer}
	for _, forward := range append([]config.Forward{apiServer}, cluster.Forwards...) {
		listener, err := network.Listen(net.JoinHostPort(gateway, strconv.Itoa(forward.Port)))
		if err != nil {
			return err
		}
		background("forward to "+forward.To, func() error { return tunnel.ServeForward(listener, forward) })
	}
	for _, node := range cluster.Nodes {
		listener, err := network.Listen(net.JoinHostPort(node.IP.String(), strconv.Itoa(kubelet.Port)))
		if err != nil {
			return err
		}
		background("kubelet of "+node.Name, func() error { return kubelet.Serve(listener, manager) })
	}
	background("resolver", func() error { return resolver.Serve(gateway) })
	background("egress", func() error { return tunnel.ServeEgress(cluster.EgressSocket, network) })
	return nil
}

func background(what string, serve func() error) {
	go func() { fmt.Fprintf(os.Stderr, "%s: %v\n", what, serve()) }()
}
