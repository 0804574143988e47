package config

import (
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/export"
	"github.com/clearspan/clearspan/appliance/facts"
	"github.com/clearspan/clearspan/appliance/query"
)

// Audit is where the entries of sessions go.
type Audit struct {
	audit.Options
	// Interim is how long a session goes on before it has another interim entry; 0: it has
	// none.
	Interim time.Duration
	Outputs []export.Output // unique names; of audit files only
	// Facts has entries say what was requested and mailed. Default true.
	Facts   bool
	Content facts.Options // of these
}

// standardOutput is the word for it.
const standardOutput = "stdout"

// audit reads n; relative paths start at state.
func (r *reader) audit(n *node, state string) (a Audit) {
	t := r.table(n, "audit")
	resolve := parsePath(state)
	a.File = value(t, "file", filepath.Join(state, "sessions.jsonl"), func(s string) (string, error) {
		switch {
		case s == standardOutput:
			return s, nil
		case strings.HasPrefix(s, "syslog:"):
			return "", errors.New("is a file; for syslog, use outputs: [{name: siem, to: \"syslog+tls://HOST:6514\"}]")
		}
		return resolve(s)
	})
	rotate := r.table(t.get("rotate"), "rotate")
	rotate.fill("audit.rotate", "", &a.Rotate)
	rotate.close()
	for _, key := range []string{"rotate", "outputs"} {
		if t.has(key) && a.File == standardOutput {
			r.fail(t.place(key), "%s needs a file of the audit log, not standard output", key)
		}
	}
	a.Outputs = r.outputs(t.get("outputs"), a.File, resolve)
	t.fill("audit", "", &a, &a.Content)
	t.close()
	return a
}

// outputs reads the list. file is the audit file, resolve what relative paths are relative
// to.
func (r *reader) outputs(n *node, file string, resolve func(string) (string, error)) (list []export.Output) {
	taken := make(map[string]int)
	files := map[string]bool{file: true}
	for _, item := range r.list(n, "outputs") {
		t := r.table(item, "outputs")
		o := export.Output{Name: unique(t, "output", taken)}
		type destination struct {
			network export.Network
			address string
		}
		to := required(t, "to", func(s string) (destination, error) {
			network, address, err := export.ParseAddress(s)
			if network == export.File && err == nil {
				if address, err = resolve(address); err == nil && files[address] {
					err = errors.New("another output or the audit log writes that file")
				}
				files[address] = true
			}
			return destination{network, address}, err
		})
		o.Network, o.Address = to.network, to.address
		o.Select = value(t, "select", "", func(s string) (string, error) {
			_, err := query.Parse(s)
			return s, err
		})
		o.CA = value(t, "ca", "", parseFile(r.dir))
		o.Certificate, o.Key = r.keyPair(t, "certificate", "key", false)
		t.fill("audit.outputs[]", "", &o)
		for _, key := range []string{"ca", "certificate", "server_name"} {
			if t.has(key) && o.Network != export.TLS && o.Network != "" {
				r.fail(t.place(key), "%s needs a destination of syslog+tls", key)
			}
		}
		t.close()
		list = append(list, o)
	}
	return list
}
