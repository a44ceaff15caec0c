//go:build race && !windows

package abuse_test

// defaultMaxRSS is that of -max-rss: the race detector needs several times as much memory.
const defaultMaxRSS = 2000
