package main

import "google.golang.org/protobuf/encoding/protowire"

const (
	typeURL = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
	// AggregatedDiscoveryService's delta method.
	method = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
)

// response is what the load generator has to know of a DeltaDiscoveryResponse.
type response struct {
	nonce     []byte
	resources [][]byte
	removed   int
}

func readResponse(message []byte) response {
	var got response
	fields(message, func(number protowire.Number, value []byte) {
		switch number {
		case 2:
			got.resources = append(got.resources, value)
		case 5:
			got.nonce = value
		case 6:
			got.removed++
		}
	})
	return got
}

// nameAndVersion of a discovery.v3.Resource.
func nameAndVersion(resource []byte) (name, version string) {
	fields(resource, func(number protowire.Number, value []byte) {
		switch number {
		case 1:
			version = string(value)
		case 3:
			name = string(value)
		}
	})
	return name, version
}

// fields visits the length-delimited fields of a message.
func fields(message []byte, visit func(protowire.Number, []byte)) {
	for len(message) > 0 {
		number, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return
		}
		message = message[size:]
		whole := protowire.ConsumeFieldValue(number, kind, message)
		if whole < 0 {
			return
		}
		if kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(message)
			visit(number, value)
		}
		message = message[whole:]
	}
}

// firstRequest is a wildcard without names, which both servers understand, with what the client holds already.
func firstRequest(node string, versions map[string]string) []byte {
	request := appendBytes(nil, 1, appendText(nil, 1, node))
	request = appendText(request, 2, typeURL)
	for name, version := range versions {
		request = appendBytes(request, 5, appendText(appendText(nil, 1, name), 2, version))
	}
	return request
}

func acknowledgement(nonce []byte) []byte {
	return appendBytes(appendText(make([]byte, 0, 128), 2, typeURL), 6, nonce)
}

func appendText(to []byte, field protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(to, field, protowire.BytesType), text)
}

func appendBytes(to []byte, field protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(to, field, protowire.BytesType), value)
}

// raw hands messages through as bytes.
type raw struct{}

func (raw) Name() string                  { return "proto" }
func (raw) Marshal(v any) ([]byte, error) { return v.([]byte), nil }
func (raw) Unmarshal(data []byte, v any) error {
	*(v.(*[]byte)) = append([]byte(nil), data...)
	return nil
}
