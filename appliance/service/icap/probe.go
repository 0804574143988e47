package icap

import (
	"context"
	"errors"
	"fmt"
)

// Probe asks every server for its options, one after the other, and returns why the
// servers that do not answer well did not. Each error names its server.
func (c *Client) Probe(ctx context.Context) error {
	var errs []error
	for _, s := range c.servers {
		if _, err := s.options(ctx); err != nil {
			errs = append(errs, fmt.Errorf("ask %s for its options: %w", s.uri, err))
		}
	}
	return errors.Join(errs...)
}
