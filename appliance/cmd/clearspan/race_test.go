//go:build race

package main

// raceDetector says that the race detector slows scrypt down beyond use.
const raceDetector = true
