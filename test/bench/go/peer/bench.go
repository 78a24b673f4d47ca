package main

import (
	"fmt"
	"sync"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// bench holds the same assignments as the server of test/bench/xds/hansa-server.ts and changes them in the same way.
type bench struct {
	resources *resources
	names     int
	endpoints int

	mu    sync.Mutex
	steps int
}

func (b *bench) fill() error {
	if b.names == 0 {
		return nil
	}
	changes := make([]change, b.names)
	for index := range changes {
		changes[index] = b.assignment(index, 1)
	}
	return b.resources.apply(changes)
}

// step changes the weight of the first endpoint of the next assignment.
func (b *bench) step() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	index := b.steps % b.names
	b.steps++
	return b.resources.apply([]change{b.assignment(index, uint32(1+b.steps))})
}

func (b *bench) assignment(index int, weight uint32) change {
	name := fmt.Sprintf("http.svc-%05d.shop.svc.bench", index)
	hosts := make([]*endpoint.LbEndpoint, b.endpoints)
	for host := range hosts {
		address := fmt.Sprintf("10.%d.%d.%d", index>>8, index&255, host)
		hosts[host] = lbEndpoint(address, weight)
		weight = 1
	}
	return change{
		typeURL: resource.EndpointType,
		name:    name,
		message: &endpoint.ClusterLoadAssignment{
			ClusterName: name,
			Endpoints: []*endpoint.LocalityLbEndpoints{{
				Locality:    &core.Locality{Region: "eu", Zone: "a"},
				LbEndpoints: hosts,
			}},
		},
	}
}

func lbEndpoint(address string, weight uint32) *endpoint.LbEndpoint {
	return &endpoint.LbEndpoint{
		HealthStatus:        core.HealthStatus_HEALTHY,
		LoadBalancingWeight: wrapperspb.UInt32(weight),
		HostIdentifier: &endpoint.LbEndpoint_Endpoint{Endpoint: &endpoint.Endpoint{
			Address: &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{
				Address:       address,
				PortSpecifier: &core.SocketAddress_PortValue{PortValue: 8080},
			}}},
		}},
	}
}
