package services

import (
	discoveryv1 "k8s.io/api/discovery/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

// ByService is the index that View needs of an informer of EndpointSlices.
const ByService = "service"

// Indexers are those of ByService.
var Indexers = cache.Indexers{ByService: func(obj any) ([]string, error) {
	slice := obj.(*discoveryv1.EndpointSlice)
	return []string{slice.Namespace + "/" + slice.Labels[discoveryv1.LabelServiceName]}, nil
}}

// View is what is known of an API server's Services.
type View struct {
	Services corelisters.ServiceLister
	Slices   cache.Indexer
}

// SlicesOf are the EndpointSlices of one Service: to look through all of them at each change would be quadratic.
func (v View) SlicesOf(namespace, service string) (found []*discoveryv1.EndpointSlice) {
	objects, err := v.Slices.ByIndex(ByService, namespace+"/"+service)
	if err != nil {
		return nil
	}
	for _, object := range objects {
		found = append(found, object.(*discoveryv1.EndpointSlice))
	}
	return found
}
