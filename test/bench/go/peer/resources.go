package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
)

var served = []string{
	resource.ClusterType, resource.EndpointType, resource.ListenerType, resource.RouteType,
	resource.SecretType, resource.ExtensionConfigType,
}

// change of one resource; a nil message removes.
type change struct {
	typeURL string
	name    string
	message types.Resource
}

// resources are what the server serves, used as go-control-plane's documentation shows for either cache.
type resources struct {
	cache cache.Cache

	linear map[string]*cache.LinearCache

	mu       sync.Mutex
	snapshot cache.SnapshotCache
	held     map[string]map[string]types.Resource
	version  int
}

// everybody is the one node that the snapshot cache knows: all streams share a snapshot.
type everybody struct{}

func (everybody) ID(*core.Node) string { return "everybody" }

func newResources(kind string) (*resources, error) {
	r := &resources{}
	switch kind {
	case "linear":
		mux := &cache.MuxCache{
			Classify:      func(request *cache.Request) string { return request.GetTypeUrl() },
			ClassifyDelta: func(request *cache.DeltaRequest) string { return request.GetTypeUrl() },
			Caches:        map[string]cache.Cache{},
		}
		r.linear = map[string]*cache.LinearCache{}
		for _, typeURL := range served {
			r.linear[typeURL] = cache.NewLinearCache(typeURL)
			mux.Caches[typeURL] = r.linear[typeURL]
		}
		r.cache = mux
	case "snapshot":
		r.snapshot = cache.NewSnapshotCache(true, everybody{}, nil)
		r.held = map[string]map[string]types.Resource{}
		for _, typeURL := range served {
			r.held[typeURL] = map[string]types.Resource{}
		}
		r.cache = r.snapshot
	default:
		return nil, fmt.Errorf("--cache %s: linear or snapshot", kind)
	}
	return r, nil
}

func (r *resources) apply(changes []change) error {
	if r.snapshot != nil {
		return r.applySnapshot(changes)
	}
	toUpdate := map[string]map[string]types.Resource{}
	toDelete := map[string][]string{}
	for _, c := range changes {
		if c.message == nil {
			toDelete[c.typeURL] = append(toDelete[c.typeURL], c.name)
			continue
		}
		if toUpdate[c.typeURL] == nil {
			toUpdate[c.typeURL] = map[string]types.Resource{}
		}
		toUpdate[c.typeURL][c.name] = c.message
	}
	for _, typeURL := range served {
		if len(toUpdate[typeURL])+len(toDelete[typeURL]) == 0 {
			continue
		}
		if err := r.linear[typeURL].UpdateResources(toUpdate[typeURL], toDelete[typeURL]); err != nil {
			return err
		}
	}
	return nil
}

func (r *resources) applySnapshot(changes []change) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range changes {
		if c.message == nil {
			delete(r.held[c.typeURL], c.name)
		} else {
			r.held[c.typeURL][c.name] = c.message
		}
	}
	all := map[resource.Type][]types.Resource{}
	for typeURL, byName := range r.held {
		list := make([]types.Resource, 0, len(byName))
		for _, message := range byName {
			list = append(list, message)
		}
		all[typeURL] = list
	}
	r.version++
	snapshot, err := cache.NewSnapshot(strconv.Itoa(r.version), all)
	if err != nil {
		return err
	}
	return r.snapshot.SetSnapshot(context.Background(), everybody{}.ID(nil), snapshot)
}
