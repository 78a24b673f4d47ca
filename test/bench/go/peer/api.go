package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"

	// Types that resources of the conformance suite carry inside.
	_ "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

const bodyBytesMax = 64 << 20

// api is the control API: /resources of the conformance suite, /step and /usage of the benchmark.
type api struct {
	resources *resources
	bench     *bench
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route := r.Method + " " + r.URL.Path
	if route == "GET /usage" {
		_ = json.NewEncoder(w).Encode(map[string]int64{"cpuUs": cpuUs()})
		return
	}
	var err error
	switch {
	case route == "POST /step":
		err = a.bench.step()
	case route == "POST /resources":
		err = a.batch(r)
	default:
		err = a.one(r)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (a *api) batch(r *http.Request) error {
	var body struct {
		Changes []struct {
			Type     string          `json:"type"`
			Name     string          `json:"name"`
			Resource json.RawMessage `json:"resource"`
		} `json:"changes"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, bodyBytesMax)).Decode(&body); err != nil {
		return err
	}
	changes := make([]change, len(body.Changes))
	for index, one := range body.Changes {
		made, err := newChange(one.Type, one.Name, one.Resource)
		if err != nil {
			return err
		}
		changes[index] = made
	}
	return a.resources.apply(changes)
}

func (a *api) one(r *http.Request) error {
	parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	if len(parts) != 3 || parts[0] != "resources" {
		return fmt.Errorf("%s: no such path", r.URL.Path)
	}
	typeName, typeErr := url.PathUnescape(parts[1])
	name, nameErr := url.PathUnescape(parts[2])
	if err := errors.Join(typeErr, nameErr); err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, bodyBytesMax))
	if err != nil {
		return err
	}
	if r.Method == http.MethodDelete {
		body = nil
	}
	made, err := newChange(typeName, name, body)
	if err != nil {
		return err
	}
	return a.resources.apply([]change{made})
}

func newChange(typeName, name string, body []byte) (change, error) {
	made := change{typeURL: "type.googleapis.com/" + typeName, name: name}
	if !slices.Contains(served, made.typeURL) {
		return made, fmt.Errorf("%s: not a served type", typeName)
	}
	if len(body) == 0 || string(body) == "null" {
		return made, nil
	}
	kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(typeName))
	if err != nil {
		return made, err
	}
	made.message = kind.New().Interface()
	return made, protojson.Unmarshal(body, made.message)
}

// cpuUs is the time that this process has spent on a processor, in user and kernel mode.
func cpuUs() int64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return (usage.Utime.Nano() + usage.Stime.Nano()) / 1000
}
