package applets

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
)

// coded is an error with the exit code that curl gives it.
type coded struct {
	code int
	error
}

// texts is a flag that may be given several times.
type texts []string

func (t *texts) String() string        { return strings.Join(*t, ", ") }
func (t *texts) Set(text string) error { *t = append(*t, text); return nil }

// fetch is `curl [-s] [-S] [-i] [-f] [-k] [-m SECONDS] [-H HEADER] [-X METHOD] [-d BODY] [--cacert FILE] URL`, with curl's
// exit codes for a name that is not there (6), a connection that is refused (7), an HTTP error with -f (22), too long a
// wait (28) and a certificate that is not trusted (60).
func fetch(args []string) error {
	flags := flag.NewFlagSet("curl", flag.ContinueOnError)
	// Accepted for those who write them: there is nothing to be silent about.
	flags.Bool("s", false, "")
	flags.Bool("S", false, "")
	head, fail, trust := flags.Bool("i", false, ""), flags.Bool("f", false, ""), flags.Bool("k", false, "")
	wait, method := flags.Float64("m", 120, ""), flags.String("X", "", "")
	body, authority := flags.String("d", "", ""), flags.String("cacert", "", "")
	var headers texts
	flags.Var(&headers, "H", "")
	if err := flags.Parse(apart(args)); err != nil {
		return coded{2, err}
	}
	if flags.NArg() != 1 {
		return coded{2, fmt.Errorf("one URL is wanted")}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(*wait*float64(time.Second)))
	defer cancel()
	request, err := requestOf(ctx, flags.Arg(0), *method, *body, headers)
	if err != nil {
		return coded{3, err}
	}
	roots, err := rootsIn(*authority)
	if err != nil {
		return coded{77, err}
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, InsecureSkipVerify: *trust}}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return coded{codeOf(err), err}
	}
	defer answer.Body.Close()
	if *fail && answer.StatusCode >= 400 {
		return coded{22, errors.New(answer.Status)}
	}
	if *head {
		fmt.Printf("%s %s\r\n", answer.Proto, answer.Status)
		answer.Header.Write(os.Stdout)
		fmt.Print("\r\n")
	}
	if _, err := io.Copy(os.Stdout, answer.Body); err != nil {
		return coded{codeOf(err), err}
	}
	return nil
}

// apart takes flags of one letter apart that were written as one: -sSf.
func apart(args []string) (all []string) {
	for _, arg := range args {
		letters, short := strings.CutPrefix(arg, "-")
		if !short || letters == "" || strings.Trim(letters, "sSifk") != "" {
			all = append(all, arg)
			continue
		}
		for _, letter := range letters {
			all = append(all, "-"+string(letter))
		}
	}
	return all
}

func requestOf(ctx context.Context, url, method, body string, headers texts) (*http.Request, error) {
	if !strings.Contains(url, "://") {
		url = "http://" + url
	}
	if method == "" {
		method = http.MethodGet
		if body != "" {
			method = http.MethodPost
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "curl/lab")
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ":")
		if value = strings.TrimSpace(value); strings.EqualFold(name, "host") {
			request.Host = value
		} else {
			request.Header.Set(name, value)
		}
	}
	return request, nil
}

func rootsIn(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: no certificate", file)
	}
	return roots, nil
}

func codeOf(err error) int {
	var unknown *net.DNSError
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &unknown):
		return 6
	case errors.Is(err, context.DeadlineExceeded):
		return 28
	case errors.As(err, &untrusted):
		return 60
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return 7
	}
	return 56
}
