package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// commands are those of scripts beside testscript's:
//
//	exits CODE PROGRAM [ARG...]        run a program, which must end with this code
//	expand FILE...                     replace $NAME in files by variables
//	mode OCTAL FILE...                 files have these permissions
//	ready LOG                          wait until an appliance is ready
//	await REGEXP FILE                  wait until a file matches
//	prints REGEXP PROGRAM [ARG...]     run a program until its standard output matches
//	signal TERM|INT|HUP|KILL           send it to the programs in the background
//	origin                             serve $HOST:8000 (HTTP) and $HOST:8443 (HTTPS, root.pem)
//	get STATUS URL [PROXY [ROOTS]]     fetch a page; it is standard output
//	hold PROXY ADDR:PORT               keep a session through a proxy open until the script ends
//	[!] listens ADDR:PORT              something listens there, or nothing
//	claim ADDR:PORT                    wait until no other script uses a fixed address
//	unpack FILE                        unpack an archive (tar, zstd)
//	transfers FILE ROW...              write a capture of rows of package rowstest
//	capture FILE http|NAME [FRAMES]    write a capture: a request, or a ClientHello for NAME
//
// Variables beside testscript's: HOST is a loopback address of the script's own, so
// that any port of it is free.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"await":   await,
	"capture": writeCapture,
	"claim":   claim,
	"expand":  expand,
	"exits":   exits,
	"get":     get,
	"hold":    hold,
	"listens": listening,
	"mode":    mode,
	"origin":  startOrigin,
	"prints":  prints,
	"ready":   ready,
	"signal":  signalAll,
	"unpack":  unpack,

	"transfers": writeTransfers,
}

// patience is how long commands wait for what must happen.
const patience = 30 * time.Second

// usage fails the script unless it has n arguments, or more if some is set.
func usage(ts *testscript.TestScript, neg bool, args []string, n int, some bool, line string) {
	if neg || len(args) < n || len(args) > n && !some {
		ts.Fatalf("usage: %s", line)
	}
}

// exits runs a program, which must end with a code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, true, "exits CODE PROGRAM [ARG...]")
	err := ts.Exec(args[1], args[2:]...)
	exit, ok := errors.AsType[*exec.ExitError](err)
	if err != nil && !ok {
		ts.Fatalf("%v", err)
	}
	code := 0
	if ok {
		code = exit.ExitCode()
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// expand replaces $NAME in files by the value of that variable.
func expand(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 1, true, "expand FILE...")
	for _, file := range args {
		text := os.Expand(ts.ReadFile(file), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o644))
	}
}

// eventually waits until ok returns true.
func eventually(ts *testscript.TestScript, what string, ok func() bool) {
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// await waits until a file matches.
func await(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, false, "await REGEXP FILE")
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	eventually(ts, args[0]+" in "+args[1], func() bool {
		text, _ := os.ReadFile(ts.MkAbs(args[1]))
		return pattern.Match(text)
	})
}

// prints runs a program again and again, until what it prints matches.
func prints(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, true, "prints REGEXP PROGRAM [ARG...]")
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	eventually(ts, args[0], func() bool {
		ts.Check(ts.Exec(args[1], args[2:]...))
		return pattern.MatchString(ts.ReadFile("stdout"))
	})
}

// ready waits until the log of an appliance says that it is ready and its console
// says so, too.
func ready(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 1, false, "ready LOG")
	var line struct{ Msg, Admin string }
	eventually(ts, "ready in "+args[0], func() bool {
		text, _ := os.ReadFile(ts.MkAbs(args[0]))
		for each := range strings.Lines(string(text)) {
			if json.Unmarshal([]byte(each), &line) == nil && line.Msg == "ready" {
				return true
			}
		}
		return false
	})
	if line.Admin == "" {
		return
	}
	eventually(ts, "/readyz of "+line.Admin+" is 200", func() bool {
		answer, err := httpClient("", nil).Get("http://" + line.Admin + "/readyz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}

// signalAll sends a signal to the programs in the background.
func signalAll(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 1, false, "signal TERM|INT|HUP|KILL")
	signals := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP, "KILL": syscall.SIGKILL}
	s, ok := signals[args[0]]
	if !ok {
		ts.Fatalf("unknown signal %s", args[0])
	}
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(s))
	}
}

// httpClient is a client of its own: it keeps no connection.
func httpClient(proxy string, roots *x509.CertPool) *http.Client {
	t := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}
	if proxy != "" {
		t.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: proxy})
	}
	return &http.Client{Transport: t, Timeout: patience}
}

// get asks for a URL, by a proxy and with the roots of a file if there are more
// arguments. The answer, which must have the status, is standard output.
func get(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, true, "get STATUS URL [PROXY [ROOTS]]")
	args = append(args, "", "")
	var roots *x509.CertPool
	if args[3] != "" {
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM([]byte(ts.ReadFile(args[3]))) {
			ts.Fatalf("no certificate in %s", args[3])
		}
	}
	answer, err := httpClient(args[2], roots).Get(args[1])
	ts.Check(err)
	defer answer.Body.Close()
	_, err = io.Copy(ts.Stdout(), answer.Body)
	ts.Check(err)
	if strconv.Itoa(answer.StatusCode) != args[0] {
		ts.Fatalf("status %s, want %s", answer.Status, args[0])
	}
}

// hold opens a session through a proxy, which stays until the script ends.
func hold(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, false, "hold PROXY ADDR:PORT")
	c, err := net.DialTimeout("tcp", args[0], patience)
	ts.Check(err)
	ts.Defer(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	_, err = io.WriteString(c, "CONNECT "+args[1]+" HTTP/1.1\r\nHost: "+args[1]+"\r\n\r\n")
	ts.Check(err)
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	ts.Check(err)
	if answer.StatusCode != http.StatusOK {
		ts.Fatalf("the proxy answers %s", answer.Status)
	}
}

func listens(address string) bool {
	c, err := net.DialTimeout("tcp", address, patience)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// listening says that something listens on an address, or that nothing does.
func listening(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, false, args, 1, false, "[!] listens ADDR:PORT")
	if got := listens(args[0]); got == neg {
		ts.Fatalf("something listens on %s: %t", args[0], got)
	}
}

// claim keeps scripts of other test processes from an address until this one ends.
// If something else listens there, the script is skipped.
func claim(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 1, false, "claim ADDR:PORT")
	eventually(ts, "no other test uses "+args[0], func() bool {
		l, err := net.Listen("unix", "@clearspan test "+args[0]) // an abstract name: it ends with the process
		if err == nil {
			ts.Defer(func() { l.Close() })
		}
		return err == nil
	})
	if listens(args[0]) {
		ts.Value(testKey{}).(testscript.T).Skip("something listens on " + args[0])
	}
}

// mode holds files to their permissions.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, true, "mode OCTAL FILE...")
	want, err := strconv.ParseUint(args[0], 8, 9)
	ts.Check(err)
	for _, file := range args[1:] {
		info, err := os.Stat(ts.MkAbs(file))
		ts.Check(err)
		if got := info.Mode().Perm(); got != os.FileMode(want) {
			ts.Fatalf("%s has mode %04o, want %04o", file, got, want)
		}
	}
}
