package io.elder.schemas.serde;

import io.elder.schemas.avro.HeldPlan;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.RawRecord;
import io.elder.schemas.avro.RunEvent;
import io.elder.schemas.avro.ScopeEvent;
import io.elder.schemas.avro.Task;
import io.elder.schemas.avro.Verdict;
import io.elder.schemas.avro.WritebackEvent;
import io.elder.schemas.avro.WritebackPlan;
import io.elder.schemas.avro.WritebackResult;
import java.util.List;
import org.apache.avro.Schema;
import org.apache.avro.util.ClassSecurityValidator;

/** The schemas of this build. */
public final class AvroSchemas {
    public static final List<Schema> ALL = List.of(
            RawRecord.getClassSchema(),
            Task.getClassSchema(),
            RunEvent.getClassSchema(),
            InventoryRecord.getClassSchema(),
            ScopeEvent.getClassSchema(),
            Verdict.getClassSchema(),
            HeldPlan.getClassSchema(),
            WritebackEvent.getClassSchema(),
            WritebackPlan.getClassSchema(),
            WritebackResult.getClassSchema());

    private AvroSchemas() {}

    /** Avro makes instances of trusted classes only; ours are. Whoever reads Avro without our deserializer calls this first. */
    public static void trustOurs() {
        ClassSecurityValidator.setGlobal(ClassSecurityValidator.composite(
                ClassSecurityValidator.getGlobal(), type -> type.getName().startsWith("io.elder.")));
    }
}
