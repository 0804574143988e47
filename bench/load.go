package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/clearspan/clearspan/hack/lab"
)

// load downloads the object with every client at once through a contender, and
// checks that each got all of it.
func (b *bed) load(ctx context.Context, c *contender) error {
	var wg sync.WaitGroup
	errs := make([]error, b.Clients)
	for i := range errs {
		wg.Go(func() { errs[i] = b.download(ctx, c) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (b *bed) download(ctx context.Context, c *contender) error {
	args := append([]string{"-sS", "-k", "--http1.1", "-o", "/dev/null", "-w", "%{size_download} %{ssl_verify_result}"},
		lab.Resolve(name, c.address)...)
	cmd := c.clients.Command(ctx, "curl", append(args, fmt.Sprintf("https://%s:%d/object", name, c.port))...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("curl: %w: %s", err, errOut.String())
	}
	size, _, _ := strings.Cut(out.String(), " ")
	if n, err := strconv.ParseInt(size, 10, 64); err != nil || n != b.Size {
		return fmt.Errorf("download: got %s octets, want %d", size, b.Size)
	}
	return nil
}
