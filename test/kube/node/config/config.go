// Package config is what the emulator is told: clusters with their ranges, and what stands for which image.
package config

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strings"
)

// Config is read from one JSON file.
type Config struct {
	// StateDir holds logs and volumes of pods; the file `ready` appears in it.
	StateDir string    `json:"stateDir"`
	Clusters []Cluster `json:"clusters"`
	Images   []Image   `json:"images"`
}

// Cluster is one API server and the nodes that it gets.
type Cluster struct {
	Name       string `json:"name"`
	Kubeconfig string `json:"kubeconfig"`
	// APIServer is its address outside the lab's network, host:port.
	APIServer string `json:"apiServer"`
	// EgressSocket is where the API server asks for ways into the lab's network.
	EgressSocket     string       `json:"egressSocket"`
	Nodes            []Node       `json:"nodes"`
	PodCIDR          netip.Prefix `json:"podCidr"`
	ServiceCIDR      netip.Prefix `json:"serviceCidr"`
	LoadBalancerCIDR netip.Prefix `json:"loadBalancerCidr"`
	// OuterIP is what the cluster's nodes are called by from other clusters.
	OuterIP      netip.Addr `json:"outerIp"`
	DNSIP        netip.Addr `json:"dnsIp"`
	KubernetesIP netip.Addr `json:"kubernetesIp"`
	Forwards     []Forward  `json:"forwards"`
}

// Node is registered with the API server under this name; the first one's address is also the pods' resolver.
type Node struct {
	Name   string            `json:"name"`
	IP     netip.Addr        `json:"ip"`
	Labels map[string]string `json:"labels"`
}

// Forward lets pods reach a server outside the lab's network, at Port of the first node's address.
type Forward struct {
	Port int `json:"port"`
	// To is host:port.
	To string `json:"to"`
}

// Image says which program stands for a container image.
type Image struct {
	// Name is a repository (`nicolaka/netshoot`) or the last part of one (`netshoot`), without tag and digest.
	Name       string   `json:"name"`
	Entrypoint []string `json:"entrypoint"`
	Cmd        []string `json:"cmd"`
	// Path are folders put first on PATH.
	Path []string          `json:"path"`
	Env  map[string]string `json:"env"`
}

// Read reads a configuration file.
func Read(path string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var config Config
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &config, nil
}

// Image finds what stands for an image reference, tag and digest apart.
func (c *Config) Image(reference string) (Image, bool) {
	repository, _, _ := strings.Cut(reference, "@")
	base := repository[strings.LastIndex(repository, "/")+1:]
	if name, _, tagged := strings.Cut(base, ":"); tagged {
		repository = strings.TrimSuffix(repository, base) + name
		base = name
	}
	for _, name := range []string{repository, base} {
		for _, image := range c.Images {
			if image.Name == name {
				return image, true
			}
		}
	}
	return Image{}, false
}
