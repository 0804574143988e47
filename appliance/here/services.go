package here

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/clearspan/clearspan/appliance/config"
	opened "github.com/clearspan/clearspan/appliance/services"
)

// services asks ICAP services for their options, all at a time.
func services(ctx context.Context, cfg *config.Config) (list []Finding) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	findings := make([]*Finding, len(cfg.Services))
	var asked sync.WaitGroup
	for i, s := range cfg.Services {
		asked.Go(func() {
			if err := opened.Probe(ctx, s); err != nil {
				why := strings.Join(strings.Fields(err.Error()), " ")
				findings[i] = &Finding{Message: "service " + s.Name + ": " + why, Keys: []string{"services", strconv.Itoa(i)}, Warning: s.FailOpen}
			}
		})
	}
	asked.Wait()
	for _, f := range findings {
		if f != nil {
			list = append(list, *f)
		}
	}
	return list
}
