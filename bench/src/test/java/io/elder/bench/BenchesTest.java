package io.elder.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** The benches run, at sizes of which nobody should quote a figure. Each checks by itself that the rows are there. */
@Tag("benches") // Not part of the build yet: one after the other in one JVM, the last did not end within two minutes.
class BenchesTest {
    @TempDir
    Path folder;

    private final ByteArrayOutputStream printed = new ByteArrayOutputStream();
    private final PrintStream out = new PrintStream(printed, true, StandardCharsets.UTF_8);

    @Test
    void theSinkIsMeasuredBesideAllItsPeers() throws Exception {
        JsonNode figures = run(
                new SinkBench(out),
                "sink",
                "--records=200",
                "--peer-records=200",
                "--row-records=40",
                "--far-records=0",
                "--runs=1",
                "--warm-up=0",
                "--only=limit,Elder,tuned,JDBC,row",
                "--phases=load");
        assertThat(figures.path("peers").fieldNames())
                .toIterable()
                .containsExactlyInAnyOrder(
                        "Elder", "limit: COPY and merge", "Debezium, tuned", "JDBC batch", "row by row");
        assertThat(figures.at("/peers/Elder/load/rows_written_per_record").asDouble())
                .isBetween(0.85, 1.0);
    }

    @Test
    void theNormalizerIsMeasured() throws Exception {
        JsonNode figures = run(
                new NormalizerBench(out),
                "normalizer",
                "--records=200",
                "--runs=1",
                "--warm-up=0",
                "--only=normalizer, exactly");
        assertThat(figures.at("/rates/normalizer, exactly once/unchanged/0").asDouble())
                .isPositive();
        assertThat(figures.path("restore_s").asDouble()).isPositive();
    }

    @Test
    void theWayFromRawRecordToRowIsMeasured() throws Exception {
        JsonNode figures = run(
                new EndToEndBench(out),
                "end-to-end",
                "--rates=200",
                "--seconds=1",
                "--warm-up=1",
                "--few=100",
                "--many=200",
                "--runs=1");
        assertThat(figures.at("/latency/200/p99_ms").asDouble()).isPositive();
        assertThat(figures.at("/rebuild/records_per_s").asDouble()).isPositive();
    }

    @Test
    void theWayFromAMembershipToItsProviderIsMeasured() throws Exception {
        JsonNode figures = run(
                new WritebackBench(out),
                "writeback",
                "--rate=10",
                "--seconds=3",
                "--groups=40",
                "--users=40",
                "--members=20");
        assertThat(figures.at("/latency/alone/p99_ms").asDouble()).isPositive();
        assertThat(figures.at("/latency/syncing/syncs").asInt()).isPositive();
    }

    private JsonNode run(Callable<Integer> bench, String name, String... arguments) throws IOException {
        CommandLine command = new CommandLine(bench);
        String[] all = new String[arguments.length + 1];
        System.arraycopy(arguments, 0, all, 0, arguments.length);
        all[arguments.length] = "--results=" + folder;
        // 1: ran, and missed a bar.
        assertThat(command.execute(all))
                .as(printed.toString(StandardCharsets.UTF_8))
                .isIn(0, 1);
        assertThat(folder.resolve(name + ".svg")).content().startsWith("<svg").endsWith("</svg>\n");
        assertThat(folder.resolve(name + ".json"))
                .as(printed.toString(StandardCharsets.UTF_8))
                .exists();
        return new ObjectMapper().readTree(Files.readString(folder.resolve(name + ".json")));
    }
}
