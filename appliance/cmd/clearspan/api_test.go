package main

import "testing"

func TestReachable(t *testing.T) {
	for _, row := range []struct{ name, listen, want string }{
		{"one address", "192.0.2.1:8090", "192.0.2.1:8090"},
		{"localhost", "localhost:8090", "localhost:8090"},
		{"every address", ":8090", "127.0.0.1:8090"},
		{"every address of IPv4", "0.0.0.0:8090", "127.0.0.1:8090"},
		{"every address of IPv6", "[::]:8090", "[::1]:8090"},
		{"IPv6", "[2001:db8::1]:8090", "[2001:db8::1]:8090"},
		{"no address", "off", "off"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := reachable(row.listen); got != row.want {
				t.Errorf("%s, want %s", got, row.want)
			}
		})
	}
}
