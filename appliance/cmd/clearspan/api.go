package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/config"
)

// target is a running appliance, by its configuration file.
type target struct{ file string }

// request asks the appliance's administration and returns what it answers.
func (t *target) request(method, path, body string) ([]byte, error) {
	cfg, err := loadConfig(t.file, config.Quick{})
	if err != nil {
		return nil, badConfig(err)
	}
	if cfg.Admin.Listen == "" {
		return nil, errors.New("ask the running appliance: admin.listen is off")
	}
	r, err := http.NewRequest(method, "http://"+reachable(cfg.Admin.Listen)+path, strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask the running appliance: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	if method != http.MethodGet {
		token, err := admin.Token(cfg.State)
		if err != nil {
			return nil, fmt.Errorf("change what the running appliance has: %w", err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}} // no proxy
	res, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("ask the running appliance: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("ask the running appliance: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask the running appliance: %s: %s", res.Status, strings.TrimSpace(string(answer)))
	}
	return answer, nil
}

// reachable turns an address that is listened on into one to connect to.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if a, err := netip.ParseAddr(host); host == "" || err == nil && a.IsUnspecified() {
		host = "127.0.0.1"
		if a.Is6() {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port)
}
