package main

import (
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/clearspan/clearspan/hack/lab"
)

// startOrigin serves a page by HTTP on port 8000 of HOST and by HTTPS on port 8443,
// until the script ends. The file root.pem verifies it.
func startOrigin(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 0, false, "origin")
	host, dir := ts.Getenv("HOST"), ts.MkAbs("origin")
	ts.Check(os.MkdirAll(dir, 0o700))
	pki, err := lab.NewPKI(dir)
	ts.Check(err)
	pair, err := pki.Issue(host)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("root.pem"), []byte(ts.ReadFile(pki.RootFile)), 0o644))
	plain, err := net.Listen("tcp", host+":8000")
	ts.Check(err)
	secret, err := net.Listen("tcp", host+":8443")
	ts.Check(err)
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "a page of the origin\n")
		}),
		ErrorLog: log.New(io.Discard, "", 0),
	}
	done := make(chan error, 2)
	go func() { done <- server.Serve(plain) }()
	go func() { done <- server.ServeTLS(secret, pair.CertFile, pair.KeyFile) }()
	ts.Defer(func() {
		server.Close()
		<-done
		<-done
	})
}
