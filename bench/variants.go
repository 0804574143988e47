package bench

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

// variantPort is where the appliance of a variant serves.
const variantPort = 10400

// variant starts an appliance of a workload that has its own, by a binary. stop ends
// it.
func (b *bed) variant(w workload, name, binary string) (c *contender, stop func() error, err error) {
	dir, err := b.gateway.Lab.Dir(strings.ReplaceAll(name+"-"+w.name, " ", "-"))
	if err != nil {
		return nil, nil, err
	}
	more, err := w.variant(b, dir)
	if err != nil {
		return nil, nil, err
	}
	a, err := b.appliance(dir, variantPort, binary, more)
	if err != nil {
		return nil, nil, fmt.Errorf("start appliance: %w", err)
	}
	return &contender{name: name, clients: b.gateway.Client, address: lab.BoxLANV4, port: variantPort, pid: cmp.Or(a.Worker(), a.Pid()), forges: true, caches: new(sync.Map)}, a.Stop, nil
}

// rules are a curve: CPU time of a session by the number of rules that are not for
// it.
func rules() (list []workload) {
	for i, n := range []int{1, 1000, 100_000} {
		list = append(list, workload{
			name: fmt.Sprintf("sessions under %d rules", n), title: "CPU time of a session by the number of rules", curve: "rules", x: n,
			unit: "ms/session", scale: 1e3, once: true, long: i > 0, cost: cpuSeconds, settle: sessions(8, full), run: sessions(400, full),
			variant: func(*bed, string) (string, error) {
				var y strings.Builder
				y.WriteString("policy:\n  default: bump\n  rules:\n")
				for i := range n {
					fmt.Fprintf(&y, "    - {name: r%d, host: [h%[1]d.example.invalid], action: tunnel}\n", i)
				}
				return y.String(), nil
			},
		})
	}
	return list
}

// entries are a curve: CPU time of a session by the number of names in a list that
// the policy asks.
func entries() (list []workload) {
	for i, n := range []int{1, 1000, 1_000_000} {
		list = append(list, workload{
			name: fmt.Sprintf("sessions under a list of %d names", n), title: "CPU time of a session by the number of names in a list", curve: "entries", x: n,
			unit: "ms/session", scale: 1e3, once: true, long: i > 0, cost: cpuSeconds, settle: sessions(8, full), run: sessions(400, full),
			variant: func(_ *bed, dir string) (string, error) {
				f, err := os.Create(filepath.Join(dir, "names.txt"))
				if err != nil {
					return "", err
				}
				defer f.Close()
				w := bufio.NewWriter(f)
				for i := range n {
					fmt.Fprintf(w, "n%d.example.invalid\n", i)
				}
				return "policy:\n  default: bump\n  lists: {long: {file: names.txt}}\n  rules:\n    - {name: listed, category: [long], action: tunnel}\n", w.Flush()
			},
		})
	}
	return list
}

// mirrors are a curve: CPU time of large downloads by the number of mirror ports,
// with nobody at their far ends.
func mirrors() (list []workload) {
	for i, n := range []int{1, 2, 4} {
		list = append(list, workload{
			name: fmt.Sprintf("downloads on %d mirror ports", n), title: "CPU time per GiB by the number of mirror ports that show it", curve: "mirrors", x: n,
			unit: "s/GiB", scale: 1, once: true, long: i == 1, cost: cpuSeconds, run: bulk,
			variant: func(b *bed, _ string) (string, error) {
				y := "mirror:\n"
				for i := range n {
					port := fmt.Sprintf("copy%d", i)
					if err := b.mirrorPort(port); err != nil {
						return "", err
					}
					y += fmt.Sprintf("  - {name: %s, kind: interface, interface: %[1]s}\n", port)
				}
				return y, nil
			},
		})
	}
	return list
}

// mirrorPort adds a mirror port to the box, unless it has it.
func (b *bed) mirrorPort(name string) error {
	if _, err := b.gateway.Box.Interface(name); err == nil {
		return nil
	}
	end := func(ns *netlab.Namespace) netlab.End { return netlab.End{Namespace: ns, Name: name, Silent: true} }
	if err := b.gateway.Lab.Link(end(b.gateway.Box), end(b.gateway.Recorder), netlab.LinkOptions{}); err != nil {
		return err
	}
	return errors.Join(
		b.gateway.Box.SetOffload(name, false, netlab.TXChecksum, netlab.TSO, netlab.GSO),
		b.gateway.Recorder.SetOffload(name, false, netlab.TXChecksum, netlab.TSO, netlab.GSO, netlab.GRO),
	)
}
