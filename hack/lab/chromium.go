package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/clearspan/clearspan/hack/netlab"
)

// Chromium loads a page in a headless browser and returns its document as it
// stands when everything in it is loaded. The browser keeps its files in dir,
// which is its home and new to it, trusts the certificates in the PEM file ca
// beside its own, and finds host at address without a name server. All that it
// does for itself is off. more are further arguments.
func Chromium(ctx context.Context, ns *netlab.Namespace, dir, ca, host, address, url string, more ...string) (string, error) {
	database := filepath.Join(dir, ".pki", "nssdb")
	if err := os.MkdirAll(database, 0o700); err != nil {
		return "", err
	}
	for _, args := range [][]string{
		{"-N", "--empty-password"},
		{"-A", "-n", "inspection", "-t", "C,,", "-i", ca},
	} {
		if _, err := tool(ctx, "certutil", append([]string{"-d", "sql:" + database}, args...)...); err != nil {
			return "", err
		}
	}
	args := append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--disable-features=OptimizationHints,MediaRouter", "--user-data-dir=" + filepath.Join(dir, "profile"),
		"--host-resolver-rules=MAP " + host + " " + bracket(address) + ", MAP * ~NOTFOUND", "--timeout=60000"}, more...)
	cmd := ns.Command(ctx, "chromium", append(args, "--dump-dom", url)...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = environment(dir), &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("run chromium in %s: %w: %s", ns.Name(), err, tail(errs.String(), 2000))
	}
	return out.String(), nil
}
