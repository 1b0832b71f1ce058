package io.elder.fetch;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ParentsTest {
    @Test
    void fewStayInMemoryAndAreReadAsOftenAsThereAreChildRows() throws Exception {
        try (Parents parents = new Parents()) {
            parents.add(bytes("a"));
            parents.add(bytes("b"));
            assertThat(parents.isInMemory()).isTrue();
            assertThat(read(parents)).containsExactly("a", "b");
            assertThat(read(parents)).containsExactly("a", "b");
        }
    }

    @Test
    void manyLieInAFileAndComeBackInTheirOrderAsOftenAsIsWanted() throws Exception {
        List<String> objects = new ArrayList<>();
        try (Parents parents = new Parents(1000)) {
            for (int i = 0; i < 20_000; i++) {
                objects.add("{\"id\":\"object-" + i + "\",\"name\":\"" + "x".repeat(i % 50) + "\"}");
                parents.add(bytes(objects.get(i)));
            }
            assertThat(parents.isInMemory()).isFalse();
            assertThat(read(parents)).isEqualTo(objects);
            assertThat(read(parents)).isEqualTo(objects);
        }
    }

    @Test
    void oneThatIsBiggerThanTheMemoryForAllLiesInAFileToo() throws Exception {
        try (Parents parents = new Parents(10)) {
            parents.add(bytes("a"));
            parents.add(bytes("b".repeat(1000)));
            assertThat(parents.isInMemory()).isFalse();
            assertThat(read(parents)).containsExactly("a", "b".repeat(1000));
        }
    }

    private static List<String> read(Parents parents) throws Exception {
        List<String> read = new ArrayList<>();
        parents.each(object -> read.add(new String(object, StandardCharsets.UTF_8)));
        return read;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
