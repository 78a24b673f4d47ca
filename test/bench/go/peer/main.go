// Command peer is the server that Hansa is measured against: go-control-plane's linear or snapshot cache behind its
// own delta ADS, with the control API of the conformance suite and of the benchmark (test/bench/xds/hansa-server.ts).
// It prints where it listens as one line of JSON and ends with its standard input.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

func main() {
	kind := flag.String("cache", "linear", "linear or snapshot")
	names := flag.Int("names", 0, "ClusterLoadAssignments to begin with")
	endpoints := flag.Int("endpoints", 10, "endpoints of each")
	cert := flag.String("cert", "", "certificate of the server (PEM); none = plaintext")
	key := flag.String("key", "", "its key")
	ca := flag.String("ca", "", "what clients must chain to")
	flag.Parse()

	resources, err := newResources(*kind)
	check(err)
	bench := &bench{resources: resources, names: *names, endpoints: *endpoints}
	check(bench.fill())

	options := []grpc.ServerOption{grpc.MaxRecvMsgSize(64 << 20)}
	if *cert != "" {
		options = append(options, grpc.Creds(credentials.NewTLS(tlsConfig(*cert, *key, *ca))))
	}
	grpcServer := grpc.NewServer(options...)
	discovery.RegisterAggregatedDiscoveryServiceServer(
		grpcServer, server.NewServer(context.Background(), resources.cache, nil))

	ads, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	control, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go func() { check(grpcServer.Serve(ads)) }()
	go func() { check(http.Serve(control, &api{resources: resources, bench: bench})) }()
	check(json.NewEncoder(os.Stdout).Encode(map[string]string{
		"address": ads.Addr().String(), "control": "http://" + control.Addr().String(),
	}))
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func tlsConfig(cert, key, ca string) *tls.Config {
	pair, err := tls.LoadX509KeyPair(cert, key)
	check(err)
	pem, err := os.ReadFile(ca)
	check(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &tls.Config{
		Certificates: []tls.Certificate{pair},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    roots,
		MinVersion:   tls.VersionTLS13,
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
