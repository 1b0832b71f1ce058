package io.elder.embedded;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** Who may know whom. Stages meet in Kafka and in {@code schemas}; a rule that fails here says what to do instead. */
@AnalyzeClasses(packages = "io.elder", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
    private static final String[] STAGES = {
        "io.elder.cdc..",
        "io.elder.scheduler..",
        "io.elder.fetch..",
        "io.elder.normalizer..",
        "io.elder.sink..",
        "io.elder.writeback..",
        "io.elder.console.."
    };

    @ArchTest
    static final ArchRule SCHEMAS_KNOW_NOBODY = noClasses()
            .that()
            .resideInAPackage("io.elder.schemas..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                    "io.elder.runtime..",
                    "io.elder.cdc..",
                    "io.elder.fetch..",
                    "io.elder.scheduler..",
                    "io.elder.normalizer..",
                    "io.elder.sink..",
                    "io.elder.console..")
            .because("everybody depends on schemas: move what it needs into schemas");

    @ArchTest
    static final ArchRule THE_RUNTIME_KNOWS_NO_STAGE = noClasses()
            .that()
            .resideInAPackage("io.elder.runtime..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(STAGES)
            .because("stages use the runtime, not the reverse: pass in what it needs");

    @ArchTest
    static final ArchRule CDC_STANDS_ALONE = alone(
            "io.elder.cdc..",
            "io.elder.scheduler..",
            "io.elder.fetch..",
            "io.elder.normalizer..",
            "io.elder.sink..",
            "io.elder.console..");

    @ArchTest
    static final ArchRule THE_SCHEDULER_STANDS_ALONE = alone(
            "io.elder.scheduler..",
            "io.elder.cdc..",
            "io.elder.fetch..",
            "io.elder.normalizer..",
            "io.elder.sink..",
            "io.elder.console..");

    @ArchTest
    static final ArchRule FETCHERS_STAND_ALONE = alone(
            "io.elder.fetch..",
            "io.elder.cdc..",
            "io.elder.scheduler..",
            "io.elder.normalizer..",
            "io.elder.sink..",
            "io.elder.console..");

    @ArchTest
    static final ArchRule THE_NORMALIZER_STANDS_ALONE = alone(
            "io.elder.normalizer..",
            "io.elder.cdc..",
            "io.elder.scheduler..",
            "io.elder.fetch..",
            "io.elder.sink..",
            "io.elder.console..");

    @ArchTest
    static final ArchRule THE_SINK_STANDS_ALONE = alone(
            "io.elder.sink..",
            "io.elder.cdc..",
            "io.elder.scheduler..",
            "io.elder.fetch..",
            "io.elder.normalizer..",
            "io.elder.console..");

    @ArchTest
    static final ArchRule WRITE_BACK_STANDS_ALONE = alone(
            "io.elder.writeback..",
            "io.elder.cdc..",
            "io.elder.scheduler..",
            "io.elder.fetch..",
            "io.elder.normalizer..",
            "io.elder.sink..",
            "io.elder.console..");

    @ArchTest
    static final ArchRule THE_CONSOLE_STANDS_ALONE = alone(
            "io.elder.console..",
            "io.elder.cdc..",
            "io.elder.scheduler..",
            "io.elder.fetch..",
            "io.elder.normalizer..",
            "io.elder.sink..");

    @ArchTest
    static final ArchRule PROVIDERS_SEE_NO_PLUMBING = noClasses()
            .that()
            .resideInAPackage("io.elder.fetch.(*)..")
            .and()
            .resideOutsideOfPackage("io.elder.fetch.testkit..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("org.apache.kafka..", "org.apache.avro..", "java.sql..", "io.elder.schemas.avro..")
            .because(
                    "a provider fetches and classifies; publishing and storing belong to the runtime of fetchers/core");

    @ArchTest
    static final ArchRule MAPPINGS_ARE_PURE = noClasses()
            .that()
            .resideInAPackage("io.elder.normalizer.mapping..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("org.apache.kafka..", "java.sql..", "java.net.http..", "org.slf4j..", "java.time.Clock")
            .because("a mapping is a function of the raw record alone: replaying the log must give the same rows");

    private static ArchRule alone(String stage, String... others) {
        return noClasses()
                .that()
                .resideInAPackage(stage)
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(others)
                .because("stages meet in Kafka and in schemas, nowhere else");
    }
}
