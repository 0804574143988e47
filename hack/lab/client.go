package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/clearspan/clearspan/hack/netlab"
)

// Result is what a client program did.
type Result struct {
	Stdout, Stderr string
	Code           int // exit status, -1 if a signal ended it
}

// Run runs a program in a namespace, with stdin as its standard input. An exit
// status other than 0 is an error that holds the end of its standard error; the
// result is valid with it.
func Run(ctx context.Context, ns *netlab.Namespace, stdin string, name string, args ...string) (Result, error) {
	cmd := ns.Command(ctx, name, args...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = environment("/nonexistent"), strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	r := Result{Stdout: out.String(), Stderr: errs.String()}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		r.Code = exit.ExitCode()
	}
	if err != nil {
		err = fmt.Errorf("run %s in %s: %w: %s", name, ns.Name(), err, tail(r.Stderr, 1000))
	}
	return r, err
}

// tail returns the last n octets of s.
func tail(s string, n int) string {
	s = strings.TrimSpace(s)
	if len(s) > n {
		s = "..." + s[len(s)-n:]
	}
	return s
}

// Resolve returns the curl arguments that make it find host at address without
// a name server, on every port.
func Resolve(host, address string) []string {
	return []string{"--connect-to", host + "::" + bracket(address) + ":"}
}

func bracket(address string) string {
	if strings.Contains(address, ":") {
		return "[" + address + "]"
	}
	return address
}

// Curl runs curl. It trusts the certificates in the PEM file ca only, reads no
// configuration, uses no proxy but one in args, and gives up after 30 s.
func Curl(ctx context.Context, ns *netlab.Namespace, ca string, args ...string) (Result, error) {
	base := []string{"--disable", "--silent", "--show-error", "--noproxy", "*", "--max-time", "30"}
	for _, a := range args {
		if a == "--proxy" || a == "-x" || strings.HasPrefix(a, "--socks") {
			base = append(base[:3], base[5:]...)
			break
		}
	}
	if ca != "" {
		base = append(base, "--cacert", ca)
	}
	return Run(ctx, ns, "", "curl", append(base, args...)...)
}

// Mail is a message for [Swaks].
type Mail struct {
	Server   string // IP address
	Port     int
	From, To string
	Name     string // server name for SNI
	CA       string // PEM file; the certificate must be signed by it. Empty: not verified
	Data     string // header and body, lines end with \n; swaks makes them \r\n
	Plain    bool   // no TLS at all
}

// Swaks sends a mail: with TLS from the first octet on port 465, after STARTTLS
// on others. The transcript is the result's standard output.
func Swaks(ctx context.Context, ns *netlab.Namespace, m Mail, args ...string) (Result, error) {
	base := []string{
		"--server", m.Server, "--port", fmt.Sprint(m.Port), "--helo", "client.example",
		"--from", m.From, "--to", m.To, "--timeout", "20",
	}
	switch {
	case m.Plain:
	case m.Port == SMTPSPort:
		base = append(base, "--tls-on-connect")
	default:
		base = append(base, "--tls")
	}
	if !m.Plain && m.Name != "" {
		base = append(base, "--tls-sni", m.Name)
	}
	if !m.Plain && m.CA != "" {
		base = append(base, "--tls-verify", "--tls-ca-path", m.CA)
	}
	if m.Data != "" {
		base = append(base, "--data", "-")
	}
	return Run(ctx, ns, m.Data, "swaks", append(base, args...)...)
}

// OpenSSL runs `openssl s_client` with the lines of stdin as the dialogue. Add
// -quiet for the dialogue alone, -starttls smtp and the like.
func OpenSSL(ctx context.Context, ns *netlab.Namespace, stdin string, args ...string) (Result, error) {
	return Run(ctx, ns, stdin, "openssl", append([]string{"s_client"}, args...)...)
}
