package config

import (
	"fmt"
	"slices"
	"strings"
)

// Key describes one key of the configuration file. The reference pages and the JSON
// Schema are generated from these descriptions. Tests compare them with the reader.
type Key struct {
	// Path leads to the key, such as "intake[].proxy_protocol.from". "[]" stands
	// behind a list of tables, and a name in capitals stands for any name.
	Path string
	Type Type
	// Field names the field of a struct that the key sets, if that is not called like the
	// key: "Field", "!Field" for a bool that means the opposite, or "Field=word" for a bool
	// that is true for that word.
	Field string
	// List tells that the key takes a list. A single value stands for a list of one.
	List bool
	// Empty tells that the list may be empty.
	Empty bool
	// Words are values of their own, beside those of Type.
	Words []Choice
	// Synonyms are words of other products that the reader takes, too.
	Synonyms []string
	// Min and Max are the bounds of a number, duration or size, as a file has them.
	// Empty: there is no bound.
	Min, Max string

	// Default is the value that holds without the key, as a file has it.
	Default string
	// DefaultOf are other defaults, by mode or kind.
	DefaultOf map[string]string
	// Absent says in words what holds without the key, if no value says that.
	Absent string
	// Example is a value that differs from Default, as a file has it.
	Example string

	// Of are the modes or kinds that have the key; nil: all.
	Of []string
	// Required tells that the table needs the key.
	Required bool
	// Instead is a key of the same table that must be absent beside this one.
	Instead string
	// Beside is the path of another key that this one needs.
	Beside string

	// Doc describes the key in one to three sentences.
	Doc string
}

// Choice is a value that a key takes, and its meaning.
type Choice struct{ Word, Doc string }

// Type is what a value is, in the words of the reference.
type Type string

// The types of values. Only TypeTable and TypeTables hold keys of their own.
const (
	TypeTable      Type = "table"
	TypeTables     Type = "list of tables"
	TypeWord       Type = "word" // one of Words
	TypeBool       Type = "`true` or `false`"
	TypeNumber     Type = "number"
	TypeDuration   Type = "duration"
	TypeSize       Type = "size"
	TypeText       Type = "text"
	TypeName       Type = "name"
	TypeReference  Type = "name" // of a mirror, service, list or intake
	TypeFile       Type = "file" // must exist
	TypePath       Type = "path"
	TypeListen     Type = "address:port"
	TypeHostPort   Type = "host:port"
	TypeHost       Type = "host name"
	TypePattern    Type = "host name pattern"
	TypeAddress    Type = "IP address"
	TypeServer     Type = "IP address, with or without a port"
	TypeNetwork    Type = "network"
	TypeHostPrefix Type = "IP address with prefix length"
	TypePort       Type = "port"
	TypePorts      Type = "port or port range"
	TypeInterface  Type = "network interface"
	TypeUser       Type = "user or group"
	TypeLegs       Type = "two network interfaces"
	TypeMAC        Type = "Ethernet address"
	TypeURL        Type = "URL"
	TypeMedia      Type = "media type"
	TypeVersion    Type = "TLS version"
)

// Keys returns the description of every key, in the order of the reference. Tables
// come before the keys that they hold.
func Keys() []Key {
	return slices.Concat(topKeys, intakeKeys, authorityKeys, connectionKeys, originKeys(), policyKeys, ruleKeys, learnKeys, blockKeys, mirrorKeys, serviceKeys, recorderKeys, operationKeys)
}

// Name returns the last part of the path: the key as a file has it.
func (k *Key) Name() string { return k.Path[strings.LastIndexByte(k.Path, '.')+1:] }

// Table returns the path of the table that holds the key, "" for the file itself.
func (k *Key) Table() string {
	if i := strings.LastIndexByte(k.Path, '.'); i >= 0 {
		return k.Path[:i]
	}
	return ""
}

// Applies reports whether a table of that mode or kind has the key.
func (k *Key) Applies(kind string) bool { return k.Of == nil || slices.Contains(k.Of, kind) }

// choices makes Choices of words that explain themselves.
func choices[T any](words ...T) []Choice {
	list := make([]Choice, len(words))
	for i, w := range words {
		list[i].Word = fmt.Sprint(w)
	}
	return list
}

var topKeys = []Key{
	{
		Path: "base", Type: TypeWord, Default: string(NoBase), Example: string(DefaultBase), Words: []Choice{
			{string(NoBase), "Sections that the file does not name have the defaults of their keys. There is no mirror, and the file must name an intake."},
			{string(DefaultBase), "Sections that the file does not name are those of `clearspan config default`: an explicit proxy, capture files, a live feed."},
		},
		Doc: "The configuration that the file changes. A section that the file names replaces the whole section.",
	},
	{
		Path: "state", Type: TypePath, Absent: "what systemd says in `STATE_DIRECTORY`, else `/var/lib/clearspan`; for other users than root `~/.local/state/clearspan`", Example: "/srv/recorder",
		Doc: "The directory for all files that clearspan writes. The reference calls it STATE.",
	},
	{
		Path: "user", Type: TypeUser, Absent: "`clearspan` if there is such an account, else a number from 60900 to 60999 without a name", Example: "recorder",
		Doc: "The user that the process becomes after a start as root. STATE becomes this user's, unless all others may look into it, or it is the home of root. `root` stays root. Other users stay who they are.",
	},
	{
		Path: "drain", Type: TypeDuration, Min: "0s", Max: "720h", Default: "30s", Example: "12h",
		Doc: "How long open sessions may go on in a process that another one has replaced, by a reload or an upgrade, and after SIGTERM. `run --drain` overrides it.",
	},
}
