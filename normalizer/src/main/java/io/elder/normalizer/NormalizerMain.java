package io.elder.normalizer;

import io.elder.runtime.Launcher;

/** The role {@code normalizer}. */
public final class NormalizerMain {
    private NormalizerMain() {}

    public static void main(String[] args) {
        System.exit(Launcher.run("normalizer", args, Normalizer::new));
    }
}
