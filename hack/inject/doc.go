// Package inject has a running process make system calls (ptrace(2)), so that tests see
// what the kernel lets it do. What answers is the process's own filter, files and
// capabilities, not those of a copy. It needs root, and serves tests only.
package inject
