package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"hansa/kube/node/config"
	"hansa/kube/node/kubelet"
)

// corefile is what clusters come with: the stanza for `clusterset.local` is for who joins a federation to add.
const corefile = `.:53 {
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
    }
    forward . /etc/resolv.conf
    cache 30
    reload
}
`

// register tells the API server of the nodes and of what a cluster's own services are reached by. It is tried until the
// API server takes it.
func register(ctx context.Context, client kubernetes.Interface, cluster config.Cluster) error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := registerOnce(ctx, client, cluster)
		if err == nil || ctx.Err() != nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func registerOnce(ctx context.Context, client kubernetes.Interface, cluster config.Cluster) error {
	apply := metav1.ApplyOptions{FieldManager: "lab-node", Force: true}.ToPatchOptions()
	gateway := cluster.Nodes[0].IP.String()
	for _, node := range cluster.Nodes {
		object := nodeOf(node, cluster)
		text, err := json.Marshal(object)
		if err != nil {
			return err
		}
		nodes := client.CoreV1().Nodes()
		if _, err := nodes.Patch(ctx, node.Name, types.ApplyPatchType, text, apply); err != nil {
			return fmt.Errorf("node %s: %w", node.Name, err)
		}
		if _, err := nodes.Patch(ctx, node.Name, types.ApplyPatchType, text, apply, "status"); err != nil {
			return fmt.Errorf("status of node %s: %w", node.Name, err)
		}
		// Admission calls each new node not ready by a taint; who would take it off, by the condition, does not run here.
		untaint := []byte(`{"spec":{"taints":null}}`)
		if _, err := nodes.Patch(ctx, node.Name, types.MergePatchType, untaint, metav1.PatchOptions{}); err != nil {
			return fmt.Errorf("taints of node %s: %w", node.Name, err)
		}
	}
	resolver := service("kube-dns", cluster.DNSIP.String(), port("dns", corev1.ProtocolUDP, 53), port("dns-tcp", corev1.ProtocolTCP, 53))
	text, err := json.Marshal(resolver)
	if err != nil {
		return err
	}
	if _, err := client.CoreV1().Services("kube-system").Patch(ctx, resolver.Name, types.ApplyPatchType, text, apply); err != nil {
		return err
	}
	slices := []*discoveryv1.EndpointSlice{
		slice("kube-system", "kube-dns", gateway, port("dns", corev1.ProtocolUDP, 53), port("dns-tcp", corev1.ProtocolTCP, 53)),
		slice("default", "kubernetes", gateway, port("https", corev1.ProtocolTCP, apiServerPort)),
	}
	for _, each := range slices {
		text, err := json.Marshal(each)
		if err != nil {
			return err
		}
		into := client.DiscoveryV1().EndpointSlices(each.Namespace)
		if _, err := into.Patch(ctx, each.Name, types.ApplyPatchType, text, apply); err != nil {
			return err
		}
	}
	return keepCorefile(ctx, client)
}

// keepCorefile makes the ConfigMap where there is none: what a user has changed stays.
func keepCorefile(ctx context.Context, client kubernetes.Interface) error {
	maps := client.CoreV1().ConfigMaps("kube-system")
	if _, err := maps.Get(ctx, "coredns", metav1.GetOptions{}); err == nil {
		return nil
	}
	_, err := maps.Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "coredns", Namespace: "kube-system"},
		Data:       map[string]string{"Corefile": corefile},
	}, metav1.CreateOptions{})
	return err
}

func nodeOf(node config.Node, cluster config.Cluster) *corev1.Node {
	room := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("64"), corev1.ResourceMemory: resource.MustParse("256Gi"),
		corev1.ResourcePods: resource.MustParse("1000"),
	}
	labels := map[string]string{
		corev1.LabelHostname: node.Name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
	}
	for name, value := range node.Labels {
		labels[name] = value
	}
	return &corev1.Node{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Node"},
		ObjectMeta: metav1.ObjectMeta{Name: node.Name, Labels: labels},
		Status: corev1.NodeStatus{
			Capacity: room, Allocatable: room,
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: node.IP.String()},
				{Type: corev1.NodeExternalIP, Address: cluster.OuterIP.String()},
				{Type: corev1.NodeHostName, Address: node.Name},
			},
			Conditions: []corev1.NodeCondition{{
				Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "LabNodeReady",
				LastTransitionTime: metav1.Now(), LastHeartbeatTime: metav1.Now(),
			}},
			DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: kubelet.Port}},
		},
	}
}

func service(name, ip string, ports ...discoveryv1.EndpointPort) *corev1.Service {
	made := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"k8s-app": name}},
		Spec:       corev1.ServiceSpec{ClusterIP: ip, ClusterIPs: []string{ip}},
	}
	for _, each := range ports {
		made.Spec.Ports = append(made.Spec.Ports, corev1.ServicePort{Name: *each.Name, Protocol: *each.Protocol, Port: *each.Port})
	}
	return made
}

// slice stands for what is no pod. The controller-manager leaves it alone: it is managed by somebody else.
func slice(namespace, name, address string, ports ...discoveryv1.EndpointPort) *discoveryv1.EndpointSlice {
	ready := true
	return &discoveryv1.EndpointSlice{
		TypeMeta: metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: map[string]string{
			discoveryv1.LabelServiceName: name, discoveryv1.LabelManagedBy: "lab-node",
		}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		}},
		Ports: ports,
	}
}

func port(name string, protocol corev1.Protocol, number int32) discoveryv1.EndpointPort {
	return discoveryv1.EndpointPort{Name: &name, Protocol: &protocol, Port: &number}
}
