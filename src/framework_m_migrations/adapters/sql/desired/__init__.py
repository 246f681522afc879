"""What a MetaData wants, as schema values in the spelling of one dialect."""
