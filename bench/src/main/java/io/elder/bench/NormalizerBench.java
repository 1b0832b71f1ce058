package io.elder.bench;
@picocli.CommandLine.Command(name = "normalizer")
final class NormalizerBench implements java.util.concurrent.Callable<Integer> { public Integer call() { return 0; } }
