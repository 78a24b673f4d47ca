package applets

import (
	"encoding/json"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

// echo answers each HTTP request with who answered it and what was asked: cluster, namespace, pod, path, client, headers.
func echo([]string) error {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	pod, _ := os.Hostname()
	go func() {
		ends := make(chan os.Signal, 1)
		signal.Notify(ends, syscall.SIGTERM)
		<-ends
		os.Exit(0)
	}()
	return http.ListenAndServe(":"+port, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("content-type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{
			"cluster": os.Getenv("LAB_CLUSTER"), "namespace": os.Getenv("LAB_NAMESPACE"), "pod": pod,
			"method": r.Method, "host": r.Host, "path": r.URL.Path, "client": r.RemoteAddr, "headers": r.Header,
		})
	}))
}

// pause does nothing until it is told to end.
func pause([]string) error {
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, syscall.SIGTERM, syscall.SIGINT)
	<-ends
	return nil
}
