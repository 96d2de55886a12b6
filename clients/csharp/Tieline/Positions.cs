// A place in a journal, and where it is kept between two lives of a reader.
using System.Globalization;

namespace Tieline;

/// <summary>A place in one incarnation of a journal. It means nothing in another epoch.</summary>
public sealed record Position(string Epoch, ulong Sequence)
{
    /// <summary>The text form, <c>epoch/sequence</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Epoch}/{Sequence}");

    /// <summary>Reads the text form.</summary>
    public static Position Parse(string text)
    {
        var slash = text.IndexOf('/');
        if (slash > 0 && ulong.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var sequence))
        {
            return new Position(text[..slash], sequence);
        }
        throw new FormatException($"'{text}' is no position; it is written epoch/sequence");
    }
}

/// <summary>Keeps a position. One store belongs to one reader.</summary>
public interface IPositionStore
{
    /// <summary>What was saved last; null where nothing was yet.</summary>
    Task<Position?> LoadAsync();

    /// <summary>Replaces what was stored: afterwards the one or the other is loaded, whole.</summary>
    Task SaveAsync(Position position);
}

/// <summary>Keeps the position in a file, as text. It is replaced by an atomic rename.</summary>
public sealed class FilePositionStore(string path) : IPositionStore
{
    // The same name each time: what a crash leaves behind is overwritten by the next save.
    private readonly string next = path + ".next";

    /// <inheritdoc />
    public async Task<Position?> LoadAsync()
    {
        if (!File.Exists(path))
        {
            return null;
        }
        var text = await File.ReadAllTextAsync(path).ConfigureAwait(false);
        try
        {
            return Position.Parse(text.Trim());
        }
        catch (FormatException e)
        {
            throw new InvalidDataException($"position file {path}: {e.Message}; remove it to start again", e);
        }
    }

    /// <inheritdoc />
    public Task SaveAsync(Position position)
    {
        using (var file = new FileStream(next, FileMode.Create, FileAccess.Write))
        {
            file.Write(System.Text.Encoding.UTF8.GetBytes(position + "\n"));
            // Renamed without this, a power cut could leave an empty file. Should the rename itself be
            // lost, the position before it is there, and its events come again.
            file.Flush(flushToDisk: true);
        }
        File.Move(next, path, overwrite: true);
        return Task.CompletedTask;
    }
}
