package io.elder.bench;
@picocli.CommandLine.Command(name = "end-to-end")
final class EndToEndBench implements java.util.concurrent.Callable<Integer> { public Integer call() { return 0; } }
