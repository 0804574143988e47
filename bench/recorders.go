package bench

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// recorder is a program that finds files in captures.
type recorder struct {
	Name      string `json:"recorder"`
	program   string
	arguments string // @FILE@ is the capture, @DIR@ an empty directory
	configure string // file "configuration" of the directory; "": none
	found     func(dir string) ([]foundFile, error)

	Right  map[string]int `json:"octets_right"` // rows by kind
	Named  map[string]int `json:"octets_and_name_right"`
	Wrong  []string       `json:"wrong"`
	PerGiB []float64      `json:"cpu_seconds_per_gib"`
}

// foundFile is one that a recorder tells.
type foundFile struct{ name, hash string }

// someRecipient is one of age. Nobody has its identity.
const someRecipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"

// recorders are those that are known.
func recorders(clearspan string) []*recorder {
	list := []*recorder{
		{Name: "clearspan", program: clearspan, arguments: "recorder import --json --directory @DIR@/kept @FILE@", found: foundByLines("out", "\"object\"", clearspanFile)},
		{Name: "clearspan, contents encrypted", program: clearspan, arguments: "recorder import --json --directory @DIR@/kept --encrypt-to " + someRecipient + " @FILE@", found: foundByLines("out", "\"object\"", clearspanFile)},
		{Name: "clearspan, nothing kept", program: clearspan, arguments: "recorder import --json @FILE@", found: foundByLines("out", "\"object\"", clearspanFile)},
		{Name: "Suricata, limits lifted", program: "suricata", arguments: "-c @DIR@/configuration -l @DIR@ -r @FILE@ -k none -S /dev/null --runmode single",
			configure: suricataRecording, found: foundByLines("eve.json", "\"fileinfo\"", suricataFile)},
		{Name: "tshark", program: "tshark", arguments: "-r @FILE@ -q --export-objects http,@DIR@/http --export-objects imf,@DIR@/imf --export-objects ftp-data,@DIR@/ftp --export-objects smb,@DIR@/smb", found: foundBelow("http", "imf", "ftp", "smb")},
		{Name: "tcpflow", program: "tcpflow", arguments: "-a -r @FILE@ -o @DIR@/flows", found: foundBelow("flows")},
	}
	for _, r := range list {
		r.Right, r.Named = make(map[string]int), make(map[string]int)
	}
	return list
}

// foundByLines reads lines of JSON that have a word.
func foundByLines(file, word string, read func(line []byte) foundFile) func(dir string) ([]foundFile, error) {
	return func(dir string) (list []foundFile, err error) {
		f, err := os.Open(filepath.Join(dir, file))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			if strings.Contains(lines.Text(), word) {
				list = append(list, read(lines.Bytes()))
			}
		}
		return list, lines.Err()
	}
}

func clearspanFile(line []byte) foundFile {
	var o struct{ Object, Name string }
	_ = json.Unmarshal(line, &o) // what is not read is not found
	return foundFile{o.Name, o.Object}
}

func suricataFile(line []byte) foundFile {
	var o struct {
		Fileinfo struct{ Filename, SHA256 string }
	}
	_ = json.Unmarshal(line, &o)
	return foundFile{o.Fileinfo.Filename, o.Fileinfo.SHA256}
}

// foundBelow reads files of directories, under the names that they have there.
func foundBelow(dirs ...string) func(dir string) ([]foundFile, error) {
	return func(dir string) (list []foundFile, err error) {
		for _, d := range dirs {
			err := filepath.WalkDir(filepath.Join(dir, d), func(path string, e fs.DirEntry, err error) error {
				if err != nil || !e.Type().IsRegular() {
					return err
				}
				content, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				sum := sha256.Sum256(content)
				list = append(list, foundFile{e.Name(), hex.EncodeToString(sum[:])})
				return nil
			})
			if err != nil && !os.IsNotExist(err) {
				return nil, err
			}
		}
		return list, nil
	}
}

const suricataRecording = `%YAML 1.1
---
max-pending-packets: 1024
outputs:
  - eve-log: {enabled: yes, filetype: regular, filename: eve.json, types: [{files: {force-hash: [sha256]}}]}
  - file-store: {version: 2, enabled: yes, force-filestore: yes, stream-depth: 0}
stream:
  memcap: 1gb
  checksum-validation: no
  midstream: true
  reassembly: {memcap: 4gb, depth: 0}
app-layer:
  protocols:
    http:
      enabled: yes
      memcap: 4gb
      libhtp:
        default-config: {personality: IDS, request-body-limit: 0, response-body-limit: 0, http-body-inline: auto}
    http2: {enabled: yes}
    smtp:
      enabled: yes
      mime: {decode-mime: yes, decode-base64: yes, decode-quoted-printable: yes, header-value-depth: 2000, extract-urls: no}
    imap: {enabled: detection-only}
    smb: {enabled: yes, detection-ports: {dp: 139, 445}, stream-depth: 0}
    ftp: {enabled: yes, memcap: 4gb}
`
