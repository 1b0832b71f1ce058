package io.elder.writeback;

import io.elder.runtime.Launcher;

/** The role {@code writeback}. */
public final class WritebackMain {
    private WritebackMain() {}

    public static void main(String[] args) {
        System.exit(Launcher.run("writeback", args, Writeback::new));
    }
}
